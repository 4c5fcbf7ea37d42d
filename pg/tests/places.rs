//! A folder for a private server, with whatever runs in it gone at the end.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use foldlog_pg::{Db, ServerOptions, Variables};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

/// More than any step of these tests takes on a busy machine.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// Where one server lives.
pub(crate) struct Place {
    base: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        // Short, for the socket; open, because a server that root lends out must get in.
        let base = tempfile::Builder::new().prefix("foldlog-pg-").tempdir_in("/tmp").unwrap();
        fs::set_permissions(base.path(), fs::Permissions::from_mode(0o755)).unwrap();
        Self { base }
    }

    pub(crate) fn base(&self) -> &Path {
        self.base.path()
    }

    /// The variables of a user of this place, with the choice of binaries that the run was given.
    pub(crate) fn variables(&self, more: &[(&str, &str)]) -> Variables {
        let process = Variables::from_process();
        let names = ["PATH", "HOME", "XDG_CACHE_HOME", "FOLDLOG_PG", "FOLDLOG_PG_BIN"];
        let told = names.iter().filter_map(|name| Some((*name, process.get(name)?)));
        let base = self.base().to_str().unwrap();
        told.chain([("FOLDLOG_DATA_DIR", base)]).chain(more.iter().copied()).collect()
    }

    pub(crate) fn options(&self) -> ServerOptions {
        ServerOptions::new(self.variables(&[])).setting("fsync", "off")
    }

    pub(crate) async fn db(&self) -> Db {
        Db::private(self.options()).await.unwrap()
    }

    /// The folder of the one major that is here.
    pub(crate) fn major(&self) -> PathBuf {
        let mut folders = fs::read_dir(self.base()).unwrap().flatten();
        folders.next().expect("a server was started here").path()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.major().join("data")
    }

    /// The server's process, if one has written its number down.
    pub(crate) fn postmaster(&self) -> Option<Pid> {
        let major = fs::read_dir(self.base()).ok()?.flatten().next()?.path();
        let text = fs::read_to_string(major.join("data/postmaster.pid")).ok()?;
        Pid::from_raw(text.lines().next()?.trim().parse().ok()?)
    }

    pub(crate) fn is_up(&self) -> bool {
        self.postmaster().is_some_and(lives)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(pid) = self.postmaster().filter(|pid| works_in(*pid, self.base())) {
            kill_and_wait(pid);
        }
    }
}

/// Whether a process is a server of ours: its number may have been written by a test.
fn works_in(pid: Pid, base: &Path) -> bool {
    let folder = fs::read_link(format!("/proc/{}/cwd", pid.as_raw_pid()));
    folder.is_ok_and(|folder| folder.starts_with(base))
}

/// Whether a process runs; one that has ended and was not fetched by its parent does not.
pub(crate) fn lives(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_pid())).unwrap_or_default();
    let state = stat.rsplit(") ").next().unwrap_or_default();
    test_kill_process(pid).is_ok() && !state.starts_with('Z')
}

pub(crate) fn kill_and_wait(pid: Pid) {
    kill_process(pid, Signal::KILL).unwrap();
    let until = Instant::now() + LONG;
    while lives(pid) {
        assert!(Instant::now() < until, "process {pid:?} does not end");
        std::thread::sleep(Duration::from_millis(5));
    }
}
