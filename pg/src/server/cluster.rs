//! Making a cluster, starting and stopping its server: `initdb` and `pg_ctl` as one would by hand.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use foldlog_core::{Error, ErrorKind};

use super::account::Account;
use super::binaries::Binaries;
use super::place::{Place, socket_file, socket_lock, unwritable};
use super::postmaster::{Postmaster, Standing, look};

/// Recovery after a crash may take a while; a server that hangs must not hang us.
const PATIENCE: Duration = Duration::from_secs(60);
/// A log longer than this is begun anew at the next start.
const LOG_LIMIT: u64 = 16 << 20;
const SETTINGS_FILE: &str = "foldlog.conf";

/// The settings of every private server. Logical decoding is on, so that cdc can be tried on it; a
/// slot that nobody reads may not fill the disk.
const SETTINGS: [(&str, &str); 7] = [
    ("listen_addresses", ""),
    ("port", "5432"),
    ("max_connections", "200"),
    ("wal_level", "logical"),
    ("max_wal_senders", "10"),
    ("max_replication_slots", "10"),
    ("max_slot_wal_keep_size", "1GB"),
];

pub(super) struct Cluster<'a> {
    pub(super) place: &'a Place,
    pub(super) account: &'a Account,
    pub(super) binaries: &'a Binaries,
}

impl Cluster<'_> {
    /// Adopts the server that runs on the data, or starts one. The caller holds the turn.
    pub(super) fn up(&self, settings: &[(String, String)]) -> Result<Postmaster, Error> {
        if let Some(postmaster) = self.adopt()? {
            return Ok(postmaster);
        }
        self.place.make_socket_folder(self.account)?;
        self.free_socket()?;
        self.ensure_data()?;
        self.write_settings(settings)?;
        self.start_patiently()?;
        self.adopt()?.ok_or_else(|| self.failed("the server went away as soon as it was started"))
    }

    /// The server on the data once it answers; none if there is none, or it is on its way out.
    fn adopt(&self) -> Result<Option<Postmaster>, Error> {
        let until = Instant::now() + PATIENCE;
        loop {
            match look(&self.place.data()) {
                Standing::Empty => return Ok(None),
                Standing::Reused => {
                    // PostgreSQL would take the other program for a server and refuse to start.
                    let stale = self.place.data().join("postmaster.pid");
                    fs::remove_file(&stale).map_err(|error| unwritable(&stale, &error))?;
                    return Ok(None);
                }
                Standing::Running(postmaster) if postmaster.answers() => {
                    return Ok(Some(postmaster));
                }
                Standing::Running(postmaster) if Instant::now() > until => {
                    return Err(self.failed(&format!(
                        "process {} holds the data folder but does not answer at {}",
                        postmaster.pid,
                        postmaster.socket.display()
                    )));
                }
                Standing::Running(_) => sleep(Duration::from_millis(20)),
            }
        }
    }

    /// A socket that answers though no server runs on our data belongs to another program. One that
    /// does not was left by a killed server; its lock names a process number that may be in use
    /// again, and then PostgreSQL would not start.
    fn free_socket(&self) -> Result<(), Error> {
        let socket = socket_file(&self.place.socket);
        if UnixStream::connect(&socket).is_ok() {
            return Err(Error::new(
                ErrorKind::Setup,
                format!(
                    "another program answers at the socket {}, though no server runs on {}: stop \
                     it, or set FOLDLOG_DATA_DIR to another folder",
                    socket.display(),
                    self.place.data().display()
                ),
            ));
        }
        for stale in [socket_lock(&self.place.socket), socket] {
            match fs::remove_file(&stale) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(unwritable(&stale, &error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn ensure_data(&self) -> Result<(), Error> {
        let data = self.place.data();
        match fs::read_to_string(data.join("PG_VERSION")) {
            Ok(version) if version.trim() == self.binaries.major.to_string() => Ok(()),
            Ok(version) => Err(Error::new(
                ErrorKind::Setup,
                format!(
                    "the data in {} is of PostgreSQL {}, but the binaries in {} are of {}: choose \
                     them by FOLDLOG_PG or FOLDLOG_PG_BIN, or move the data away",
                    data.display(),
                    version.trim(),
                    self.binaries.folder.display(),
                    self.binaries.major
                ),
            )),
            Err(_) if data.exists() => Err(Error::new(
                ErrorKind::Setup,
                format!(
                    "{} is there but is no data folder of PostgreSQL (it has no readable \
                     PG_VERSION): move it away",
                    data.display()
                ),
            )),
            Err(_) => self.init(&data),
        }
    }

    fn init(&self, data: &Path) -> Result<(), Error> {
        let unfinished = self.place.unfinished();
        let fresh = || {
            if unfinished.exists() {
                fs::remove_dir_all(&unfinished)?;
            }
            fs::DirBuilder::new().mode(0o700).create(&unfinished)?;
            self.account.own(&unfinished)
        };
        fresh().map_err(|error| unwritable(&unfinished, &error))?;
        let mut command = self.account.command(&self.binaries.program("initdb"));
        command
            .args(["-A", "trust", "-U", super::NAME, "-E", "UTF8", "--locale=C", "--no-sync", "-D"])
            .arg(&unfinished);
        self.run(command, "initdb")?;
        let finish = || {
            use std::io::Write;
            let main = unfinished.join("postgresql.conf");
            writeln!(
                fs::OpenOptions::new().append(true).open(main)?,
                "\ninclude_if_exists = '{SETTINGS_FILE}'"
            )?;
            fs::rename(&unfinished, data)
        };
        finish().map_err(|error| unwritable(data, &error))
    }

    /// Our settings, anew at each start, so that a newer foldlog brings newer ones.
    fn write_settings(&self, more: &[(String, String)]) -> Result<(), Error> {
        let socket = self.place.socket.to_string_lossy();
        let own = SETTINGS.iter().copied().chain([("unix_socket_directories", &*socket)]);
        let more = more.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let mut text = String::from(
            "# Written by foldlog at each start. Yours go to postgresql.auto.conf (ALTER SYSTEM).\n",
        );
        for (name, value) in own.chain(more) {
            text.push_str(&format!("{name} = '{}'\n", value.replace('\'', "''")));
        }
        let file = self.place.data().join(SETTINGS_FILE);
        fs::write(&file, text)
            .and_then(|()| self.account.own(&file))
            .map_err(|error| unwritable(&file, &error))
    }

    /// The children of a server that was killed take a moment to notice, and until the last one is
    /// gone PostgreSQL does not start on their data.
    fn start_patiently(&self) -> Result<(), Error> {
        for _ in 0..2 {
            if self.start().is_ok() {
                return Ok(());
            }
            sleep(Duration::from_millis(500));
        }
        self.start()
    }

    fn start(&self) -> Result<(), Error> {
        // The account can't make files in the folder of the locks, so the log is made for it.
        let log = self.place.log();
        let overgrown = fs::metadata(&log).is_ok_and(|file| file.len() > LOG_LIMIT);
        fs::OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(overgrown)
            .open(&log)
            .and_then(|_| self.account.own(&log))
            .map_err(|error| unwritable(&log, &error))?;
        let mut command = self.pg_ctl("start");
        command.arg("-l").arg(&log);
        self.run(command, "pg_ctl start")
    }

    /// Stops the server and waits for its end. None running is fine.
    pub(super) fn down(&self) -> Result<(), Error> {
        if !matches!(look(&self.place.data()), Standing::Running(_)) {
            return Ok(());
        }
        let mut command = self.pg_ctl("stop");
        command.args(["-m", "fast"]);
        self.run(command, "pg_ctl stop")?;
        // It may be in a folder for temporary files. A socket left in it keeps it, and harms nobody.
        let _removed = fs::remove_dir(&self.place.socket);
        Ok(())
    }

    fn pg_ctl(&self, verb: &str) -> Command {
        let mut command = self.account.command(&self.binaries.program("pg_ctl"));
        let seconds = PATIENCE.as_secs().to_string();
        command.args([verb, "-w", "-s", "-t", &seconds, "-D"]).arg(self.place.data());
        command
    }

    fn run(&self, mut command: Command, name: &str) -> Result<(), Error> {
        let output = command.stdin(Stdio::null()).output().map_err(|error| {
            Error::new(
                ErrorKind::Setup,
                format!(
                    "{name} can't be run as {} ({error}); its binaries are in {}",
                    self.account.name,
                    self.binaries.folder.display()
                ),
            )
        })?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let said: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
        Err(self.failed(&format!("{name} failed ({}): {}", output.status, said.join(" "))))
    }

    /// An error with the end of the server's log, where the reason usually is.
    fn failed(&self, what: &str) -> Error {
        let log = self.place.log();
        let text = fs::read_to_string(&log).unwrap_or_default();
        let mut lines: Vec<&str> = text.lines().rev().take(5).collect();
        lines.reverse();
        let end = if lines.is_empty() {
            String::new()
        } else {
            format!(", which ends: {}", lines.join(" | "))
        };
        Error::new(ErrorKind::Setup, format!("{what}; see its log {}{end}", log.display()))
    }
}
