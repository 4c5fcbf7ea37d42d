//! The one connection parser: what people write, and what the two drivers need.

mod drivers;
mod host;
mod keywords;
mod open;
mod passfile;
pub(crate) mod pooler;
mod refusal;
#[cfg(test)]
mod tests;
mod tls;
mod url;
mod variables;

use std::fmt;
use std::time::Duration;

use foldlog_core::{Error, ErrorKind};

pub(crate) use host::Host;
pub use open::{Connection, Session};
pub(crate) use open::{Opened, inspect};
pub(crate) use tls::TlsMode;
pub use variables::Variables;

/// Where a database is and how to get in: one value, from which both drivers are fed.
///
/// It is read from a URL (`postgres://user:password@host:5432,other:5433/database?sslmode=…`) or
/// from `key=value` pairs; what they leave open comes from the `PG*` variables and the passfile, as
/// in psql. Keys that are not known are an error that names them.
#[derive(Clone)]
pub struct Endpoint {
    pub(crate) hosts: Vec<Host>,
    pub(crate) user: String,
    pub(crate) password: Option<Secret>,
    pub(crate) database: String,
    pub(crate) tls: TlsMode,
    pub(crate) root_certificate: Option<String>,
    pub(crate) client_certificate: Option<String>,
    pub(crate) client_key: Option<Secret>,
    pub(crate) application: Option<String>,
    pub(crate) options: Option<String>,
    pub(crate) target: Target,
    pub(crate) connect_timeout: Duration,
    pub(crate) statement_cache: Option<usize>,
}

/// Which server of several is wanted. foldlog writes, so it asks for one that accepts writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    ReadWrite,
    Primary,
    Any,
}

/// A password. It has no `Debug` and no `Display`, so that it can't reach a log.
#[derive(Clone)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl Endpoint {
    /// Reads a URL or `key=value` pairs; `variables` fill in what the text leaves open.
    ///
    /// # Errors
    ///
    /// Text that can't be read, an unknown key, a value out of range: always with its name, never
    /// with the password.
    pub fn parse(text: &str, variables: &Variables) -> Result<Self, Error> {
        let text = text.trim();
        let pairs = match text.split_once("://") {
            Some(("postgres" | "postgresql", rest)) => url::pairs(rest)?,
            Some((scheme, _)) if !scheme.contains('=') => {
                return Err(invalid(format!(
                    "a database URL begins with postgres:// or postgresql://, not with {scheme}://"
                )));
            }
            _ => keywords::pairs(text)?,
        };
        keywords::endpoint(pairs, variables)
    }

    /// What the `PG*` variables say; libpq's defaults for the rest.
    ///
    /// # Errors
    ///
    /// A variable whose value can't be read.
    pub fn from_variables(variables: &Variables) -> Result<Self, Error> {
        keywords::endpoint(Vec::new(), variables)
    }

    /// The name of the database.
    #[must_use]
    pub fn database(&self) -> &str {
        &self.database
    }

    /// The same place, another database.
    #[must_use]
    pub fn with_database(mut self, database: &str) -> Self {
        self.database = database.to_owned();
        self
    }

    /// One trusted server behind a Unix socket: a private cluster.
    pub(crate) fn at_socket(folder: &str, user: &str, database: &str) -> Self {
        Self {
            hosts: vec![Host::socket(folder, 5432)],
            user: user.to_owned(),
            password: None,
            database: database.to_owned(),
            tls: TlsMode::Disable,
            root_certificate: None,
            client_certificate: None,
            client_key: None,
            application: None,
            options: None,
            target: Target::ReadWrite,
            connect_timeout: keywords::CONNECT_TIMEOUT,
            statement_cache: None,
        }
    }
}

/// For people: no password, no options.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, host) in self.hosts.iter().enumerate() {
            write!(f, "{}{host}", if index == 0 { "" } else { ", " })?;
        }
        write!(f, ", database {}, role {}", self.database, self.user)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({self})")
    }
}

pub(crate) fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Setup, message)
}
