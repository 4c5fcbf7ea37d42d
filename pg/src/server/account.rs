//! Whose server it is. PostgreSQL refuses to run as root, so root lends it to another account.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use foldlog_core::{Error, ErrorKind};

/// The accounts that root may lend the server to, best first.
const LENT_TO: [&str; 2] = ["postgres", "nobody"];

/// The account that a server runs as: this user's, or the one that root lends it to.
#[derive(Clone)]
pub struct Account {
    pub(super) uid: u32,
    gid: u32,
    pub(super) name: String,
    /// Whether we are root and the server must be another.
    pub(super) lent: bool,
}

impl Account {
    /// The account for servers of this process.
    ///
    /// # Errors
    ///
    /// We are root and there is nobody to lend a server to.
    pub fn current() -> Result<Self, Error> {
        let uid = rustix::process::geteuid();
        if !uid.is_root() {
            let gid = rustix::process::getegid().as_raw();
            return Ok(Self { uid: uid.as_raw(), gid, name: "this user".to_owned(), lent: false });
        }
        let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
        LENT_TO.iter().find_map(|name| Self::in_passwd(&passwd, name)).ok_or_else(|| {
            Error::new(
                ErrorKind::Setup,
                "PostgreSQL does not run as root, and there is neither an account postgres nor \
                 nobody to lend the server to: set DATABASE_URL, or run as another user",
            )
        })
    }

    fn in_passwd(passwd: &str, name: &str) -> Option<Self> {
        let line = passwd.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        let uid = fields.next()?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        Some(Self { uid, gid, name: name.to_owned(), lent: true })
    }

    /// A command that runs as the server's account, apart from our terminal and our `PG*` variables.
    #[must_use]
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        // Ctrl-C goes to the group in the foreground; the server is not to hear it. Our folder may
        // be one that the account can't enter.
        command.process_group(0).current_dir("/").env("LC_ALL", "C").env_remove("TZ");
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PG") {
                command.env_remove(name);
            }
        }
        if self.lent {
            command.uid(self.uid).gid(self.gid);
        }
        command
    }

    /// Gives a file or folder that we made to the server's account.
    ///
    /// # Errors
    ///
    /// It can't be given away.
    pub fn own(&self, path: &Path) -> io::Result<()> {
        if self.lent { chown(path, Some(self.uid), Some(self.gid)) } else { Ok(()) }
    }

    /// Whether the account can get to a folder. Ours can, as we are there; a lent one can't get
    /// below root's home.
    #[must_use]
    pub fn reaches(&self, folder: &Path) -> bool {
        !self.lent
            || folder.ancestors().all(|folder| {
                fs::metadata(folder).is_ok_and(|found| {
                    found.permissions().mode() & 0o001 != 0
                        || (found.uid() == self.uid && found.permissions().mode() & 0o100 != 0)
                })
            })
    }
}
