//! Worker processes.

use std::fs;
use std::path::Path;
use std::time::Duration;

use foldlog_testkit::wait_until;

use crate::support::{PATIENCE, idlers};

/// The letter by which the system calls what a process does.
fn state(pid: i32) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(text.rsplit_once(") ")?.1.split(' ').next()?.to_owned())
}

#[tokio::test]
async fn workers_are_killed_paused_replaced_and_none_outlives_the_crew() {
    let folder = tempfile::tempdir().unwrap();
    let mut crew = idlers(folder.path(), 3);
    assert_eq!(crew.living(), 3);
    let first = crew.pid(0).unwrap();

    crew.kill(0).await;
    assert_eq!((crew.living(), crew.pid(0)), (2, None));
    assert!(!Path::new(&format!("/proc/{first}")).exists());
    crew.replace(0).await.unwrap();
    assert_eq!(crew.living(), 3);

    let paused = crew.pid(1).unwrap();
    crew.stop(1);
    wait_until(PATIENCE, async || state(paused).as_deref() == Some("T")).await;
    assert_eq!(crew.paused(), [1]);
    crew.cont(1);
    wait_until(PATIENCE, async || state(paused).as_deref() != Some("T")).await;

    // A paused one can be killed and replaced as well.
    crew.stop(1);
    crew.replace(1).await.unwrap();
    assert_ne!(crew.pid(1), Some(paused));
    assert!(crew.paused().is_empty());
    assert!(crew.deserters().is_empty());

    let said = || fs::read_to_string(folder.path().join("worker-0.log")).unwrap();
    wait_until(PATIENCE, async || said().contains("worker 0 life 1")).await;
    assert!(said().contains("worker 0 life 0"));

    crew.stop(2);
    let all: Vec<i32> = (0..3).filter_map(|place| crew.pid(place)).collect();
    assert_eq!(all.len(), 3);
    drop(crew);
    assert!(all.iter().all(|pid| !Path::new(&format!("/proc/{pid}")).exists()));
}

#[tokio::test]
async fn a_crew_that_is_dismissed_ends_by_itself_and_a_deserter_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut crew = idlers(folder.path(), 2);
    let alone = rustix::process::Pid::from_raw(crew.pid(1).unwrap()).unwrap();
    rustix::process::kill_process(alone, rustix::process::Signal::TERM).unwrap();
    wait_until(PATIENCE, async || crew.living() == 1).await;
    let deserters = crew.deserters();
    assert_eq!(deserters.iter().map(|deserter| deserter.place).collect::<Vec<_>>(), [1]);
    crew.heal().await.unwrap();
    assert_eq!(crew.living(), 2);
    assert!(crew.dismiss(Duration::from_secs(20)).await.is_empty());
    assert_eq!(crew.living(), 0);
}
