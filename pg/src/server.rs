//! A PostgreSQL of one's own: found or fetched, started behind a Unix socket, shared by the
//! processes of one user, stopped by the last of them.

mod account;
mod binaries;
mod choice;
mod cluster;
#[cfg(feature = "embedded")]
mod fetch;
mod hold;
mod place;
mod postmaster;
mod remedy;
mod search;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::process::Command;

use foldlog_core::{Error, ErrorKind};

use crate::connect::{Endpoint, Variables};
pub use account::Account;
use binaries::Binaries;
use hold::Hold;
use place::Place;

/// The role and the database that `initdb` makes.
const NAME: &str = "postgres";

/// Which server to start, and where.
#[derive(Clone)]
pub struct ServerOptions {
    variables: Variables,
    root: PathBuf,
    base: Option<PathBuf>,
    settings: Vec<(String, String)>,
}

impl ServerOptions {
    /// Chooses by `FOLDLOG_PG`, `FOLDLOG_PG_BIN`, `FOLDLOG_DATA_DIR` and the usual places.
    #[must_use]
    pub fn new(variables: Variables) -> Self {
        Self { variables, root: PathBuf::from("/"), base: None, settings: Vec::new() }
    }

    /// Searches for binaries below another root than `/`.
    #[must_use]
    pub fn search_root(mut self, root: impl Into<PathBuf>) -> Self {
        self.root = root.into();
        self
    }

    /// Keeps the data below this folder, whatever `FOLDLOG_DATA_DIR` says.
    #[must_use]
    pub fn base(mut self, base: impl Into<PathBuf>) -> Self {
        self.base = Some(base.into());
        self
    }

    /// A server setting beside ours. The process that starts the server decides; one that joins it
    /// takes it as it runs.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The folder with PostgreSQL's binaries that would be used; fetched where that is allowed.
    ///
    /// # Errors
    ///
    /// No binaries, with all the remedies.
    pub async fn binaries(&self) -> Result<PathBuf, Error> {
        let account = Account::current()?;
        Ok(choice::choose(self, &account).await?.folder)
    }
}

/// A share in a private server. The last share that is closed or dropped, of all processes, stops
/// it. A process that is killed leaves it running, and the next one adopts it.
pub struct PrivateServer {
    hold: Hold,
    binaries: PathBuf,
}

impl PrivateServer {
    /// Starts the server, or joins it where it runs.
    ///
    /// # Errors
    ///
    /// No binaries, a data folder that can't be written or belongs to another major, a server that
    /// does not come up: each with its remedy.
    pub async fn start(options: ServerOptions) -> Result<Self, Error> {
        let account = Account::current()?;
        let binaries = choice::choose(&options, &account).await?;
        let folder = binaries.folder.clone();
        // Starting means waiting for processes and locks. When the caller goes away meanwhile, the
        // hold that comes out is dropped there, which stops the server again.
        let opening = tokio::task::spawn_blocking(move || open(&options, account, binaries));
        let hold = opening.await.map_err(|error| broken(&error))??;
        Ok(Self { hold, binaries: folder })
    }

    /// Lets go. The last one stops the server and waits until it has stopped.
    ///
    /// # Errors
    ///
    /// The server did not stop.
    pub async fn close(self) -> Result<(), Error> {
        let closing = tokio::task::spawn_blocking(move || self.hold.release());
        closing.await.map_err(|error| broken(&error))?
    }

    /// Its address, for both drivers.
    #[must_use]
    pub fn endpoint(&self, database: &str) -> Endpoint {
        Endpoint::at_socket(&self.hold.socket, NAME, database)
    }

    /// Its address as a URL, for other programs.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        let encoded =
            |text| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC);
        format!("postgres://{NAME}@{}:5432/{}", encoded(&self.hold.socket), encoded(database))
    }

    /// Where its binaries and its data are, in words.
    #[must_use]
    pub fn description(&self) -> String {
        let data = self.hold.place().data();
        format!("binaries in {}, data in {}", self.binaries.display(), data.display())
    }

    /// The folder of its socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        PathBuf::from(&self.hold.socket)
    }

    /// Its data folder.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.hold.place().data()
    }

    /// A command that waits for the end of its standard input and then stops the server, unless
    /// somebody uses it: for owners that can't run code at their own end, such as a static.
    ///
    /// It needs `flock` of util-linux. Where that is missing the server stays up, to be adopted.
    #[must_use]
    pub fn caretaker(&self) -> Command {
        self.hold.caretaker()
    }
}

fn open(options: &ServerOptions, account: Account, binaries: Binaries) -> Result<Hold, Error> {
    let place = Place::prepare(options, &account, binaries.major)?;
    Hold::take(place, account, binaries, &options.settings)
}

fn broken(error: &tokio::task::JoinError) -> Error {
    Error::new(ErrorKind::Internal, format!("a task of the private server broke off: {error}"))
}
