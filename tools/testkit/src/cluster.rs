//! A PostgreSQL cluster of one's own, for faults: it may be stopped, killed, copied and replicated.
//! Its data survives a crash, as that of the shared server of the other tests does not.

mod family;
mod place;
mod run;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use foldlog_pg::{Endpoint, ServerAccount, Variables};

use crate::server::options;

/// The role that `initdb` makes.
const ROLE: &str = "postgres";

/// What every cluster starts from; the last line of a file wins.
const DEFAULTS: [(&str, &str); 4] = [
    ("fsync", "on"),
    ("synchronous_commit", "on"),
    ("max_prepared_transactions", "32"),
    ("listen_addresses", "127.0.0.1"),
];

/// A cluster and, while it runs, its server. Dropping it ends the server and removes all files.
///
/// The address stays the same for its life. Its methods panic when PostgreSQL does not do as it is
/// told, with the end of the server's log.
pub struct Cluster {
    /// Holds the data, the socket and the log.
    folder: PathBuf,
    /// PostgreSQL's programs.
    binaries: PathBuf,
    account: ServerAccount,
    port: u16,
    /// Our child, so that we can wait for its end: as long as nobody has, its number counts as alive
    /// and PostgreSQL does not start again on the data.
    postmaster: Option<Child>,
    /// Cleans up when this process is killed; its standard input ends then.
    caretaker: Option<Child>,
}

impl Cluster {
    /// A new cluster that is not running yet, with these settings beside the defaults. `FOLDLOG_PG`
    /// and `FOLDLOG_PG_BIN` choose its version.
    ///
    /// # Panics
    ///
    /// No PostgreSQL, or no place for the data.
    pub async fn make(settings: &[(&str, &str)]) -> Self {
        let account = ServerAccount::current().unwrap_or_else(|error| panic!("testkit: {error}"));
        let binaries = options(&Variables::from_process()).binaries().await;
        let binaries = binaries.unwrap_or_else(|error| panic!("testkit: {error}"));
        let cluster = Self::placed(binaries, account);
        let mut initdb = cluster.account.command(&cluster.binaries.join("initdb"));
        initdb
            .args(["-A", "trust", "-U", ROLE, "-E", "UTF8", "--locale=C", "--no-sync", "-D"])
            .arg(cluster.data());
        run::to_the_end(initdb).await;
        for (name, value) in DEFAULTS.iter().chain(settings) {
            cluster.set(name, value);
        }
        cluster.set_address();
        cluster
    }

    /// Another cluster with the same data at another address. This one must be stopped; if it was
    /// killed, the copy recovers as it would have.
    ///
    /// # Panics
    ///
    /// It runs.
    pub async fn copy(&mut self) -> Self {
        assert!(!self.is_running(), "testkit: only the data of a stopped cluster can be copied");
        let copy = Self::placed(self.binaries.clone(), self.account.clone());
        let mut copying = self.account.command(Path::new("cp"));
        copying.arg("-a").arg(self.data()).arg(copy.data());
        run::to_the_end(copying).await;
        // Left by a crash; it names a server of the original.
        let _absent = fs::remove_file(copy.data().join("postmaster.pid"));
        copy.set_address();
        copy
    }

    fn placed(binaries: PathBuf, account: ServerAccount) -> Self {
        let folder = place::folder(&account);
        let port = place::free_port();
        // What a killed process leaves behind is a running server and its files.
        let script = "cat >/dev/null; \"$1\" stop -s -m immediate -D \"$2/data\"; rm -rf -- \"$2\"";
        let mut caretaker = account.command(Path::new("/bin/sh"));
        caretaker
            .args(["-c", script, "foldlog-caretaker"])
            .args([&binaries.join("pg_ctl"), &folder])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let caretaker = caretaker.spawn().ok();
        Self { folder, binaries, account, port, postmaster: None, caretaker }
    }

    /// Makes it a standby of another cluster, whose stopped data it was copied from. Takes effect at
    /// the next start.
    ///
    /// # Panics
    ///
    /// The data folder can't be written.
    pub fn standby_of(&self, primary: &Self) {
        let signal = self.data().join("standby.signal");
        fs::write(&signal, "")
            .and_then(|()| self.account.own(&signal))
            .unwrap_or_else(|error| panic!("testkit: {}: {error}", signal.display()));
        let socket = primary.socket();
        self.set(
            "primary_conninfo",
            &format!("host={} port={} user={ROLE}", socket.display(), primary.port),
        );
    }

    /// Adds a setting, which outdoes earlier ones. Takes effect at the next start or reload.
    ///
    /// # Panics
    ///
    /// The data folder can't be written.
    pub fn set(&self, name: &str, value: &str) {
        let file = self.data().join("postgresql.conf");
        fs::OpenOptions::new()
            .append(true)
            .open(&file)
            .and_then(|mut file| writeln!(file, "{name} = '{}'", value.replace('\'', "''")))
            .unwrap_or_else(|error| panic!("testkit: {}: {error}", file.display()));
    }

    fn set_address(&self) {
        self.set("port", &self.port.to_string());
        self.set("unix_socket_directories", &self.socket().to_string_lossy());
    }

    /// Its TCP port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder of its socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.clone()
    }

    /// Its data folder.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// The server's log.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.folder.join("server.log")
    }

    /// The URL of one of its databases, over TCP.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{ROLE}@127.0.0.1:{}/{database}", self.port)
    }

    /// The same address for both drivers.
    ///
    /// # Panics
    ///
    /// The name makes no URL.
    #[must_use]
    pub fn endpoint(&self, database: &str) -> Endpoint {
        let endpoint = Endpoint::parse(&self.url(database), &Variables::none());
        endpoint.unwrap_or_else(|error| panic!("testkit: {error}"))
    }
}
