//! Starting, stopping and killing the server of a cluster.

use std::fs;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use tokio::time::{Instant, sleep};

use super::family::{self, State};
use super::{Cluster, place};

/// Recovery after a crash and the checkpoint of a shutdown take a while on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(10);
/// A log longer than this is begun anew at the next start.
const LOG_LIMIT: u64 = 16 << 20;

/// What a start fails with while the remains of the server before it are still going away.
const PASSING: [&str; 4] =
    ["lock file \"", "is still in use", "could not bind", "could not create any TCP/IP sockets"];

impl Cluster {
    /// Starts the server and waits until it takes connections: after a crash, until it has recovered.
    ///
    /// # Panics
    ///
    /// It does not come up.
    pub async fn start(&mut self) {
        assert!(!self.is_running(), "testkit: the cluster runs already");
        let until = Instant::now() + PATIENCE;
        loop {
            let before = self.log_begun();
            self.postmaster = Some(self.spawn());
            while self.is_running() {
                if self.is_ready() {
                    return;
                }
                assert!(Instant::now() < until, "{}", self.told("it takes no connections"));
                sleep(PAUSE).await;
            }
            let log = fs::read(self.log()).unwrap_or_default();
            let said = String::from_utf8_lossy(log.get(before..).unwrap_or_default()).into_owned();
            let passing = PASSING.iter().any(|sign| said.contains(sign));
            assert!(
                passing && Instant::now() < until,
                "{}",
                self.told("the server does not start")
            );
            sleep(PAUSE * 10).await;
        }
    }

    /// Stops the server as an administrator would: open transactions are rolled back. None running
    /// is fine.
    ///
    /// # Panics
    ///
    /// It does not stop.
    pub async fn stop(&mut self) {
        if let Some(pid) = self.pid() {
            family::signal(pid, Signal::INT);
            self.ended().await;
        }
    }

    /// Kills the server and all its backends at once, as the end of the machine would, and waits
    /// until they are gone. None running is fine.
    ///
    /// # Panics
    ///
    /// The system does not end them.
    pub async fn kill(&mut self) {
        let Some(pid) = self.pid() else { return };
        // A stopped parent has no more children, waits for none, and so keeps their numbers from
        // being given to others: each signal goes where it is meant to.
        family::signal(pid, Signal::STOP);
        let until = Instant::now() + PATIENCE;
        while matches!(family::look(pid), Some((State::Working, _))) {
            assert!(Instant::now() < until, "{}", self.told("the server does not halt"));
            sleep(PAUSE / 10).await;
        }
        loop {
            let backends = family::children(pid);
            if backends.is_empty() {
                break;
            }
            assert!(Instant::now() < until, "{}", self.told("its backends do not end"));
            for backend in backends {
                family::signal(backend, Signal::KILL);
            }
            sleep(PAUSE / 10).await;
        }
        family::signal(pid, Signal::KILL);
        self.ended().await;
        if family::is_known() {
            // They name a number that another process may have by the next start, and then
            // PostgreSQL would take that one for a server. Nobody is left whom they protect.
            let socket = self.socket_file();
            for stale in [format!("{socket}.lock"), socket] {
                let _absent = fs::remove_file(stale);
            }
            let _absent = fs::remove_file(self.data().join("postmaster.pid"));
        }
    }

    /// Has the server read its settings again. Its sessions see them a moment later.
    pub fn reload(&mut self) {
        if let Some(pid) = self.pid() {
            family::signal(pid, Signal::HUP);
        }
    }

    /// Whether there is a server: a start that was not followed by an end, whoever caused it.
    pub fn is_running(&mut self) -> bool {
        self.pid().is_some()
    }

    /// The process of the server.
    pub fn pid(&mut self) -> Option<i32> {
        let child = self.postmaster.as_mut()?;
        match child.try_wait() {
            Ok(None) => Some(child.id() as i32),
            _ => {
                self.postmaster = None;
                None
            }
        }
    }

    /// Waits for the end of our child, which takes its number out of the system.
    async fn ended(&mut self) {
        let until = Instant::now() + PATIENCE;
        while self.is_running() {
            assert!(Instant::now() < until, "{}", self.told("the server does not end"));
            sleep(PAUSE / 2).await;
        }
    }

    fn spawn(&self) -> Child {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.log());
        let log = log.unwrap_or_else(|error| panic!("testkit: {}: {error}", self.log().display()));
        let mut postgres = self.account.command(&self.binaries.join("postgres"));
        postgres.arg("-D").arg(self.data()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        postgres.spawn().unwrap_or_else(|error| panic!("testkit: {postgres:?}: {error}"))
    }

    /// The length of the log, after it was cut if it has grown too long.
    fn log_begun(&self) -> usize {
        let length = fs::metadata(self.log()).map_or(0, |file| file.len());
        if length > LOG_LIMIT && fs::remove_file(self.log()).is_ok() {
            return 0;
        }
        length as usize
    }

    /// Whether the pid file, which is this server's, says that it takes connections, and it does.
    fn is_ready(&mut self) -> bool {
        let text = fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let ours = lines.first().and_then(|pid| pid.parse().ok()) == self.pid();
        // Lines two to eight: data, start time, port, socket folder, address, memory key, state.
        ours && matches!(lines.get(7), Some(&("ready" | "standby")))
            && UnixStream::connect(self.socket_file()).is_ok()
    }

    fn socket_file(&self) -> String {
        format!("{}/.s.PGSQL.{}", self.socket().display(), self.port)
    }

    /// What went wrong, with the end of the log.
    fn told(&self, what: &str) -> String {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let end = lines.get(lines.len().saturating_sub(8)..).unwrap_or_default();
        format!("testkit: {what}; the log in {} ends:\n{}", self.folder.display(), end.join("\n"))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(pid) = self.pid() {
            family::signal(pid, Signal::QUIT);
            let until = std::time::Instant::now() + Duration::from_secs(10);
            while self.is_running() {
                std::thread::sleep(PAUSE / 2);
                if std::time::Instant::now() > until {
                    family::signal(pid, Signal::KILL);
                }
            }
        }
        place::remove(&self.folder);
        if let Some(mut caretaker) = self.caretaker.take() {
            // Before its standard input ends: there is nothing left for it to do.
            let _ended = caretaker.kill().and_then(|()| caretaker.wait());
        }
    }
}

/// Runs a program that must succeed.
pub(super) async fn to_the_end(command: Command) {
    let shown = format!("{command:?}");
    let output = tokio::process::Command::from(command).stdin(Stdio::null()).output().await;
    let output = output.unwrap_or_else(|error| panic!("testkit: {shown}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "testkit: {shown}: {}: {said}", output.status);
}
