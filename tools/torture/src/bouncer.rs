//! pgbouncer in transaction mode: between transactions a client's session is another's.
//!
//! A statement must bring everything with it. Prepared statements stay behind in the server's session
//! under names that another client uses too, until pgbouncer 1.21 keeps account of them: a client is
//! then refused, or executes what another one prepared.

use std::fs;
use std::io::{self, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use foldlog_pg::ServerAccount;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

/// Where Debian keeps it, which is in no ordinary account's PATH.
const PLACE: &str = "/usr/sbin/pgbouncer";
const PATIENCE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(10);

/// Starts it, and ends it with this process, however that ends: then standard input does.
const KEEPER: &str = "\"$1\" -q \"$2/pgbouncer.ini\" 2>>\"$2/said.log\" & cat >/dev/null; \
    kill -9 $! 2>/dev/null; wait; rm -rf -- \"$2\"";

/// A pooler in front of a server. Dropped, it ends.
#[derive(Debug)]
pub struct Bouncer {
    keeper: Child,
    folder: PathBuf,
    port: u16,
}

impl Bouncer {
    /// The program, if this machine has it.
    #[must_use]
    pub fn found() -> Option<PathBuf> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::env::split_paths(&path).map(|folder| folder.join("pgbouncer"));
        folders.chain([PathBuf::from(PLACE)]).find(|program| program.is_file())
    }

    /// Starts it in front of the server at a port of 127.0.0.1, with so many connections to it. All
    /// of them are the role's, whoever asks.
    ///
    /// # Errors
    ///
    /// It does not come up.
    pub async fn start(
        program: &Path,
        server_port: u16,
        role: &str,
        connections: usize,
    ) -> io::Result<Self> {
        let account = ServerAccount::current().map_err(io::Error::other)?;
        let folder = tempfile::Builder::new().prefix("foldlog-bouncer-").tempdir()?;
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let mut file = fs::File::create(folder.path().join("pgbouncer.ini"))?;
        file.write_all(configuration(port, server_port, role, connections).as_bytes())?;
        account.own(folder.path())?;
        account.own(&folder.path().join("pgbouncer.ini"))?;
        // From here on its keeper removes it.
        let folder = folder.keep();
        let mut command = account.command(Path::new("/bin/sh"));
        command.args(["-c", KEEPER, "foldlog-bouncer"]).args([program, &folder]);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let bouncer = Self { keeper: command.spawn()?, folder, port };
        bouncer.ready().await?;
        Ok(bouncer)
    }

    async fn ready(&self) -> io::Result<()> {
        let until = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
            if Instant::now() > until {
                let said = ["said.log", "pgbouncer.log"]
                    .map(|name| fs::read_to_string(self.folder.join(name)).unwrap_or_default());
                return Err(io::Error::other(format!("pgbouncer: {}", said.concat())));
            }
            sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Where clients connect to, on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address of a database behind the pooler.
    #[must_use]
    pub fn url(&self, role: &str, database: &str) -> String {
        format!("postgres://{role}@127.0.0.1:{}/{database}?sslmode=disable", self.port)
    }
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ended = self.keeper.wait();
    }
}

fn configuration(port: u16, server_port: u16, role: &str, connections: usize) -> String {
    format!(
        "[databases]\n\
         * = host=127.0.0.1 port={server_port} user={role}\n\
         [pgbouncer]\n\
         listen_addr = 127.0.0.1\n\
         listen_port = {port}\n\
         unix_socket_dir =\n\
         auth_type = any\n\
         pool_mode = transaction\n\
         default_pool_size = {connections}\n\
         max_client_conn = 500\n\
         ignore_startup_parameters = extra_float_digits, options\n\
         server_login_retry = 0.2\n\
         log_connections = 0\n\
         log_disconnections = 0\n\
         log_stats = 0\n"
    )
}
