//! Where a private server lives: its data, its socket, its log and its locks.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use foldlog_core::{Error, ErrorKind};

use super::ServerOptions;
use super::account::Account;
use crate::connect::Variables;

/// What a Unix socket's address holds, less the end mark; `.s.PGSQL.5432.lock` stands beside it.
const LONGEST_SOCKET: usize = 107;
const SOCKET_FILE: &str = ".s.PGSQL.5432";

#[derive(Clone, Debug)]
pub(super) struct Place {
    folder: PathBuf,
    pub(super) socket: PathBuf,
}

impl Place {
    /// Makes the folders for a major, and says why if that can't be.
    pub(super) fn prepare(
        options: &ServerOptions,
        account: &Account,
        major: u16,
    ) -> Result<Self, Error> {
        let base = match &options.base {
            Some(base) => base.clone(),
            None => default_base(&options.variables, account)?,
        };
        if !base.is_absolute() || base.to_string_lossy().contains(['"', '\'', '\\', '$', '`', '\n'])
        {
            return Err(setup(format!(
                "the data folder {} is not usable: give an absolute path without quotes, \
                 backslashes and dollar signs",
                base.display()
            )));
        }
        let folder = base.join(major.to_string());
        folder_for_all(&folder).map_err(|error| unwritable(&folder, &error))?;
        // Below a folder for temporary files somebody else may have been first.
        let owner = fs::metadata(&folder).map_err(|error| unwritable(&folder, &error))?.uid();
        if owner != rustix::process::geteuid().as_raw() {
            return Err(setup(format!(
                "the data folder {} was made by another user (uid {owner}): remove it, or set \
                 FOLDLOG_DATA_DIR to a folder of this user",
                folder.display()
            )));
        }
        if !account.reaches(&folder) {
            return Err(setup(format!(
                "the account {} that runs the server for root can't enter the data folder {}: set \
                 FOLDLOG_DATA_DIR to a folder outside root's home",
                account.name,
                folder.display()
            )));
        }
        let socket = socket_folder(&folder, account)?;
        Ok(Self { folder, socket })
    }

    /// Makes the folder of the socket, closed to all but the server's account. Under the turn: the
    /// last one out removes it.
    pub(super) fn make_socket_folder(&self, account: &Account) -> Result<(), Error> {
        let socket = &self.socket;
        let own = || account.own(socket).map_err(|error| unwritable(socket, &error));
        match fs::DirBuilder::new().mode(0o700).create(socket) {
            Ok(()) => own(),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                // Others may write to the folder for temporary files: what stands there must be ours.
                let found =
                    fs::symlink_metadata(socket).map_err(|error| unwritable(socket, &error))?;
                let closed = found.permissions().mode() & 0o077 == 0;
                // Root's is one of ours that was not handed over before somebody killed us.
                let ours = found.uid() == account.uid || (account.lent && found.uid() == 0);
                if found.is_dir() && ours && closed {
                    return own();
                }
                Err(setup(format!(
                    "{} is to be the server's private folder for its socket, but somebody else \
                     made it: remove it, or set FOLDLOG_DATA_DIR",
                    socket.display()
                )))
            }
            Err(error) => Err(unwritable(socket, &error)),
        }
    }

    pub(super) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Where `initdb` works until it is done, so that half a cluster is never taken for one.
    pub(super) fn unfinished(&self) -> PathBuf {
        self.folder.join("data.unfinished")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.folder.join("server.log")
    }

    /// Every user holds this shared, for its life.
    pub(super) fn users(&self) -> PathBuf {
        self.folder.join("users.lock")
    }

    /// Whoever starts or stops the server holds this alone, meanwhile.
    pub(super) fn turn(&self) -> PathBuf {
        self.folder.join("turn.lock")
    }
}

pub(super) fn socket_file(folder: &Path) -> PathBuf {
    folder.join(SOCKET_FILE)
}

pub(super) fn socket_lock(folder: &Path) -> PathBuf {
    folder.join(format!("{SOCKET_FILE}.lock"))
}

fn default_base(variables: &Variables, account: &Account) -> Result<PathBuf, Error> {
    if let Some(folder) = variables.get("FOLDLOG_DATA_DIR") {
        return std::path::absolute(folder).map_err(|error| unwritable(Path::new(folder), &error));
    }
    if account.lent {
        let system = PathBuf::from("/var/lib/foldlog");
        return match folder_for_all(&system) {
            Ok(()) => Ok(system),
            Err(_) => Ok(std::env::temp_dir().join("foldlog-root")),
        };
    }
    let data = variables.get("XDG_DATA_HOME").map(PathBuf::from);
    let home = || Some(PathBuf::from(variables.get("HOME")?).join(".local/share"));
    data.or_else(home).map(|folder| folder.join("foldlog")).ok_or_else(|| {
        setup("there is no HOME to keep the data in: set FOLDLOG_DATA_DIR".to_owned())
    })
}

/// A folder for files that a lent server must get past: open to look at, closed to write.
fn folder_for_all(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o755).create(folder)?;
    // A writable look: a read-only file system answers here and not in the middle of initdb.
    let probe = folder.join("users.lock");
    fs::OpenOptions::new().create(true).append(true).open(probe).map(drop)
}

/// Beside the data where the path is short enough, else in the folder for temporary files.
fn socket_folder(folder: &Path, account: &Account) -> Result<PathBuf, Error> {
    let mut hasher = DefaultHasher::new();
    folder.hash(&mut hasher);
    let short = format!("foldlog-{}-{:08x}", account.uid, hasher.finish() as u32);
    let candidates =
        [folder.join("socket"), std::env::temp_dir().join(&short), Path::new("/tmp").join(&short)];
    let fits = |path: &&PathBuf| socket_file(path).as_os_str().as_bytes().len() <= LONGEST_SOCKET;
    let Some(socket) = candidates.iter().find(fits) else {
        return Err(setup(format!(
            "no path for the server's socket is short enough ({LONGEST_SOCKET} bytes): set \
             FOLDLOG_DATA_DIR to a shorter one than {}",
            folder.display()
        )));
    };
    Ok(socket.clone())
}

pub(super) fn unwritable(path: &Path, error: &io::Error) -> Error {
    setup(format!(
        "the private server can't use {} ({error}): set FOLDLOG_DATA_DIR to a folder that this \
         user may write, or DATABASE_URL to a server of yours",
        path.display()
    ))
}

fn setup(message: String) -> Error {
    Error::new(ErrorKind::Setup, message)
}
