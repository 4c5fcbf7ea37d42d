//! Sharing one server between processes, by two locks that the system lets go of when a holder dies.
//!
//! Every user holds `users.lock` shared, for its life. Starting and stopping happen under
//! `turn.lock`, alone. Whoever leaves takes the turn, gives up its share and tries to get
//! `users.lock` alone: it gets it exactly when it was the last. A killed process leaves no lock
//! behind, so nothing can block the next start; at worst a server is left running, to be adopted.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use foldlog_core::{Error, ErrorKind};

use super::account::Account;
use super::binaries::Binaries;
use super::cluster::Cluster;
use super::place::{Place, unwritable};

/// Longer than a start after a crash may take.
const TURN: Duration = Duration::from_secs(150);

/// How long a caretaker waits for the next user before it stops the server: the test binaries of
/// one run follow each other within this time.
const LINGER: &str = "2";

/// A share in a running server; dropping it is leaving.
pub(super) struct Hold {
    place: Place,
    account: Account,
    binaries: Binaries,
    pub(super) socket: String,
    /// Held shared. None once it was given up.
    users: Option<File>,
}

impl Hold {
    pub(super) fn take(
        place: Place,
        account: Account,
        binaries: Binaries,
        settings: &[(String, String)],
    ) -> Result<Self, Error> {
        let _turn = turn(&place)?;
        let users = lock_file(&place.users())?;
        // Only a holder of the turn ever asks for it alone, and that is us.
        users.lock_shared().map_err(|error| unwritable(&place.users(), &error))?;
        let cluster = Cluster { place: &place, account: &account, binaries: &binaries };
        let postmaster = cluster.up(settings)?;
        let socket = postmaster.socket.to_string_lossy().into_owned();
        Ok(Self { place, account, binaries, socket, users: Some(users) })
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// Leaves; the last one out stops the server.
    pub(super) fn release(mut self) -> Result<(), Error> {
        self.leave()
    }

    fn leave(&mut self) -> Result<(), Error> {
        let Some(users) = self.users.take() else { return Ok(()) };
        let _turn = turn(&self.place)?;
        let lost = |error| unwritable(&self.place.users(), &error);
        users.unlock().map_err(lost)?;
        match users.try_lock() {
            Ok(()) => {
                let (place, account) = (&self.place, &self.account);
                Cluster { place, account, binaries: &self.binaries }.down()
            }
            Err(TryLockError::WouldBlock) => Ok(()),
            Err(TryLockError::Error(error)) => Err(lost(error)),
        }
    }

    pub(super) fn caretaker(&self) -> Command {
        // It asks for the locks in the order that we do. It runs as the server's account, which may
        // read the lock files, and that is enough to lock them.
        let script = "cat >/dev/null; sleep \"$1\"; \
            exec flock -w 60 \"$2\" flock -n \"$3\" \"$4\" stop -w -s -m fast -D \"$5\"";
        let mut command = self.account.command(Path::new("/bin/sh"));
        command
            .args(["-c", script, "foldlog-caretaker", LINGER])
            .arg(self.place.turn())
            .arg(self.place.users())
            .arg(self.binaries.program("pg_ctl"))
            .arg(self.place.data())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0);
        command
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Err(error) = self.leave() {
            tracing::warn!(%error, "the private server was not stopped");
        }
    }
}

/// The exclusive right to start or stop; it ends when the file is dropped.
fn turn(place: &Place) -> Result<File, Error> {
    let path = place.turn();
    let file = lock_file(&path)?;
    let until = Instant::now() + TURN;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < until => {
                sleep(Duration::from_millis(20));
            }
            Err(TryLockError::WouldBlock) => {
                return Err(Error::new(
                    ErrorKind::Busy,
                    format!(
                        "another process has been starting or stopping the private server for \
                         {} s: look who holds {}",
                        TURN.as_secs(),
                        path.display()
                    ),
                ));
            }
            Err(TryLockError::Error(error)) => return Err(unwritable(&path, &error)),
        }
    }
}

fn lock_file(path: &Path) -> Result<File, Error> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .map_err(|error| unwritable(path, &error))
}
