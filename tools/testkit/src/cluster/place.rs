//! A folder and a port for a cluster.

use std::fs;
use std::net::TcpListener;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use foldlog_pg::ServerAccount;
use uuid::Uuid;

/// What a Unix socket's address holds, less the end mark and `/.s.PGSQL.12345.lock`.
const LONGEST: usize = 107 - 21;

/// Below the range that systems give to outgoing connections: the port must still be free when a
/// stopped cluster starts again.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// A new folder that the account owns.
pub(super) fn folder(account: &ServerAccount) -> PathBuf {
    let name = format!("foldlog-cluster-{:.12}", Uuid::new_v4().simple().to_string());
    let candidates = [std::env::temp_dir(), PathBuf::from("/tmp")];
    let fits = |base: &&PathBuf| {
        base.join(&name).as_os_str().as_bytes().len() <= LONGEST && account.reaches(base)
    };
    let Some(base) = candidates.iter().find(fits) else {
        panic!(
            "testkit: {} is no place for a cluster: its path is long or closed",
            show(&candidates)
        );
    };
    let folder = base.join(name);
    fs::DirBuilder::new()
        .mode(0o700)
        .create(&folder)
        .and_then(|()| account.own(&folder))
        .unwrap_or_else(|error| panic!("testkit: {}: {error}", folder.display()));
    folder
}

fn show(candidates: &[PathBuf]) -> String {
    candidates.first().map(|base| base.display().to_string()).unwrap_or_default()
}

/// A port that nobody listens at. Which are tried is random, so that processes rarely want the same.
pub(super) fn free_port() -> u16 {
    let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let tries = std::iter::repeat_with(|| {
        let (random, _) = Uuid::new_v4().as_u64_pair();
        PORTS.start + (random % u64::from(PORTS.end - PORTS.start)) as u16
    });
    let found = tries.take(1_000).find(free);
    found.unwrap_or_else(|| panic!("testkit: no port from {PORTS:?} is free"))
}

/// Removes a cluster's files.
pub(super) fn remove(folder: &Path) {
    // A backend that is on its way out may still write; the caretaker, or the system, sweeps.
    for _ in 0..5 {
        if fs::remove_dir_all(folder).is_ok() {
            return;
        }
    }
}
