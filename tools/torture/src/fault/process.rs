//! Faults that strike processes.

use std::fs;
use std::time::Duration;

use fastrand::Rng;
use rustix::process::{Pid, Signal, kill_process};
use sqlx::Connection as _;
use tokio::time::{Instant, sleep};

use super::{Strike, between, seconds};
use crate::crew::Crew;
use crate::field::{Field, Missed};

/// A server that lost a backend ends all others long before.
const SOON: Duration = Duration::from_secs(10);

pub(super) async fn kill_worker(
    field: &Field,
    rng: &mut Rng,
    strike: &mut Strike<'_>,
) -> Result<(), Missed> {
    let mut crew = field.crew.lock().await;
    let place = somebody(&mut crew, rng)?;
    strike.harm(format!("worker {place}"));
    crew.kill(place).await;
    drop(crew);
    sleep(between(rng, 0, 1_000)).await;
    // Unless somebody else filled the place meanwhile.
    let mut crew = field.crew.lock().await;
    if crew.pid(place).is_none() {
        crew.replace(place).await?;
    }
    Ok(())
}

pub(super) async fn pause_worker(
    field: &Field,
    rng: &mut Rng,
    strike: &mut Strike<'_>,
) -> Result<(), Missed> {
    let mut crew = field.crew.lock().await;
    let place = somebody(&mut crew, rng)?;
    // Beyond the lease, and long enough for another one to claim what ran out.
    let time = field.lease.mul_f64(1.2 + rng.f64());
    strike.harm(format!("worker {place} for {}", seconds(time)));
    crew.stop(place);
    drop(crew);
    sleep(time).await;
    field.crew.lock().await.cont(place);
    Ok(())
}

fn somebody(crew: &mut Crew, rng: &mut Rng) -> Result<usize, Missed> {
    let places = 0..crew.places();
    let living: Vec<usize> = places.filter(|place| crew.pid(*place).is_some()).collect();
    rng.choice(living).ok_or_else(|| Missed("no worker lives".to_owned()))
}

pub(super) async fn kill_backend(
    field: &Field,
    rng: &mut Rng,
    strike: &mut Strike<'_>,
) -> Result<(), Missed> {
    // Held, so that nobody starts or ends the server meanwhile.
    let mut cluster = field.cluster.lock().await;
    let mut session = field.session().await?;
    let Some(pid) = rng.choice(field.sessions(&mut session, false).await?) else {
        return Err(Missed("nobody is connected".to_owned()));
    };
    let server = cluster.pid();
    let serves = parent(pid).is_some_and(|parent| Some(parent) == server);
    let Some(process) = Pid::from_raw(pid).filter(|_| serves) else {
        return Err(Missed(format!("process {pid} is no child of our server")));
    };
    strike.harm(format!("backend {pid}"));
    kill_process(process, Signal::KILL).map_err(|error| Missed(error.to_string()))?;
    // Our own session goes with the others; the server is back when a new one opens.
    let until = Instant::now() + SOON;
    while session.ping().await.is_ok() {
        // One that was ending anyway takes nobody along, and whoever needs the server waits for us.
        if Instant::now() > until {
            return Err(Missed(format!("backend {pid} had ended by itself")));
        }
        sleep(between(rng, 1, 5)).await;
    }
    field.session().await.map(drop)
}

pub(super) async fn kill_server(
    field: &Field,
    rng: &mut Rng,
    strike: &mut Strike<'_>,
) -> Result<(), Missed> {
    let away = between(rng, 0, 1_500);
    let mut cluster = field.cluster.lock().await;
    strike.harm(format!("away for {}", seconds(away)));
    crash(field, &mut cluster, away).await;
    Ok(())
}

/// The end of the server, and after a while its beginning.
pub(super) async fn crash(field: &Field, cluster: &mut foldlog_testkit::Cluster, away: Duration) {
    field.wounds().down = true;
    cluster.kill().await;
    sleep(away).await;
    if !cluster.is_running() {
        cluster.start().await;
    }
    field.wounds().down = false;
}

/// A process's parent, as the system tells it.
fn parent(pid: i32) -> Option<i32> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in parentheses and may hold anything.
    let (_, rest) = text.rsplit_once(") ")?;
    rest.split(' ').nth(1)?.parse().ok()
}
