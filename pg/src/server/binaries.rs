//! A folder with `postgres`, `initdb` and `pg_ctl`, and which major they are.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The oldest major that foldlog runs on.
pub(super) const OLDEST: u16 = 15;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Binaries {
    pub(super) folder: PathBuf,
    pub(super) major: u16,
}

impl Binaries {
    /// Those of a folder, by asking `postgres` itself. None if one is missing or does not answer.
    pub(super) fn of(folder: &Path) -> Option<Self> {
        // Debian's PATH may hold links to the real place; the server finds its libraries from there.
        let postgres = folder.join("postgres").canonicalize().ok()?;
        let folder = postgres.parent()?.to_path_buf();
        if !["initdb", "pg_ctl"].iter().all(|name| folder.join(name).is_file()) {
            return None;
        }
        let mut asking = Command::new(&postgres);
        asking.arg("--version").stdin(Stdio::null()).stderr(Stdio::null());
        let answer = asking.output().ok().filter(|output| output.status.success())?;
        let major = major(&String::from_utf8_lossy(&answer.stdout))?;
        Some(Self { folder, major })
    }

    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// The major in a line such as `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`.
fn major(line: &str) -> Option<u16> {
    let version = line.split("(PostgreSQL) ").nth(1)?;
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}
