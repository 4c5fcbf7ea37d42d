//! Other processes that use a private server: this test binary, run again with a part to play.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use foldlog_pg::{Db, ServerOptions, Variables};
use rustix::process::{Pid, Signal, kill_process_group};

use super::places::Place;

const PART: &str = "FOLDLOG_PG_TEST_PART";

/// A process that holds a share in a place's server.
pub(crate) struct Other {
    child: Child,
}

impl Other {
    /// Starts it, and comes back once it holds its share.
    pub(crate) fn start(place: &Place) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "processes::another_process_plays_its_part_when_asked"])
            .args(["--nocapture", "--test-threads=1"])
            .env(PART, place.base())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // A group of its own, as a shell gives to what runs in its foreground.
            .process_group(0);
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
        let up = lines.map_while(Result::ok).any(|line| line.ends_with("holds its share"));
        assert!(up, "the other process ended early");
        Self { child }
    }

    /// Lets it close its share and waits for its end.
    pub(crate) fn finish(mut self) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().unwrap().success());
    }

    /// Kills its whole group, as the most brutal of terminals would.
    pub(crate) fn kill(mut self) {
        kill_process_group(Pid::from_child(&self.child), Signal::KILL).unwrap();
        self.child.wait().unwrap();
    }
}

#[tokio::test]
async fn another_process_plays_its_part_when_asked() {
    let Some(base) = std::env::var_os(PART) else { return };
    let options = ServerOptions::new(Variables::from_process()).base(base).setting("fsync", "off");
    let db = Db::private(options).await.unwrap();
    println!("{} holds its share", std::process::id());
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()))
        .await
        .unwrap()
        .unwrap();
    db.close().await;
}
