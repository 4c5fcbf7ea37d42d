//! Is there a server on this data? What `postmaster.pid` says, and whether it is true.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, test_kill_process};

use super::place::socket_file;

/// What the pid file says of a server that is really there.
#[derive(Debug)]
pub(super) struct Postmaster {
    pub(super) pid: i32,
    pub(super) socket: PathBuf,
    /// Its last line is "ready" or "standby", so it takes connections.
    pub(super) ready: bool,
}

/// What is known of a data folder.
#[derive(Debug)]
pub(super) enum Standing {
    /// Nobody runs on it. A pid file may lie there; PostgreSQL itself clears that away.
    Empty,
    /// A pid file names a process that lives but is another program: its number was used again.
    Reused,
    /// A server runs on it, perhaps still starting or already stopping.
    Running(Postmaster),
}

pub(super) fn look(data: &Path) -> Standing {
    let text = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
    let mut lines = text.lines();
    let Some(pid) = lines.next().and_then(|line| line.trim().parse::<i32>().ok()) else {
        return Standing::Empty;
    };
    if !lives(pid) {
        return Standing::Empty;
    }
    if !is_on(pid, data) {
        return Standing::Reused;
    }
    // Lines two to eight: data, start time, port, socket folder, address, memory key, state.
    let socket = lines.nth(3).unwrap_or_default();
    let ready = lines.nth(2).is_some_and(|state| matches!(state.trim(), "ready" | "standby"));
    Standing::Running(Postmaster { pid, socket: PathBuf::from(socket), ready })
}

impl Postmaster {
    /// Whether its socket takes a connection.
    pub(super) fn answers(&self) -> bool {
        self.ready && UnixStream::connect(socket_file(&self.socket)).is_ok()
    }
}

fn lives(pid: i32) -> bool {
    let Some(pid) = Pid::from_raw(pid) else { return false };
    // Not allowed to signal it means that it is there, and another's.
    !matches!(test_kill_process(pid), Err(rustix::io::Errno::SRCH))
}

/// Whether a process works in the data folder, as a postmaster does all its life. Where the system
/// does not say, the socket decides.
fn is_on(pid: i32, data: &Path) -> bool {
    let process = PathBuf::from(format!("/proc/{pid}"));
    if !process.exists() {
        return true;
    }
    match fs::read_link(process.join("cwd")) {
        Ok(folder) => data.canonicalize().is_ok_and(|data| data == folder),
        // A zombie has no folder, and another user's process does not tell.
        Err(_) => false,
    }
}
