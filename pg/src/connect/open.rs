//! Opening sessions: the hosts in order, the first that serves is taken.

use std::error::Error as StdError;
use std::fmt;

use foldlog_core::{Error, ErrorKind};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection as _, PgConnection, Row};
use tokio_postgres::Socket;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{Endpoint, Host, Target, refusal, tls};
use crate::sqlstate;

/// The oldest server that foldlog runs on.
const OLDEST: i32 = 15;

/// A session of tokio-postgres: the client, and the connection that its owner must poll.
pub struct Session {
    /// Takes statements.
    pub client: tokio_postgres::Client,
    /// Moves the bytes, and carries the notices and notifications. Nothing goes on unless it is
    /// polled; it is the owner's to poll, so that no task outlives the owner.
    pub connection: Connection,
}

/// The connection of a [`Session`].
pub type Connection =
    tokio_postgres::Connection<Socket, <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream>;

/// What a server says of itself.
pub(crate) struct Facts {
    pub(super) number: i32,
    pub(crate) version: String,
    pub(super) standby: bool,
    pub(super) read_only: bool,
}

/// An open session of sqlx, the options that led to it, and what the server said of itself.
pub(crate) struct Opened {
    pub(crate) connection: PgConnection,
    pub(crate) options: PgConnectOptions,
    pub(crate) facts: Facts,
}

impl Endpoint {
    /// A session of sqlx with the first host that serves.
    pub(crate) async fn open(&self, application: &str) -> Result<Opened, Error> {
        let mut failures = Vec::new();
        for host in &self.hosts {
            match self.open_host(host, application).await {
                Ok(opened) => return Ok(opened),
                Err(error) => failures.push(error),
            }
        }
        Err(all_failed(failures))
    }

    async fn open_host(&self, host: &Host, application: &str) -> Result<Opened, Error> {
        let options = self.sqlx(host, application)?;
        // Boxed, as the driver's handshake would make every future that holds this one large.
        let attempt = Box::pin(async {
            let mut connection =
                options.connect().await.map_err(|error| refusal::of_sqlx(self, host, error))?;
            let facts = inspect(&mut connection).await?;
            Ok((connection, facts))
        });
        let (connection, facts) = tokio::time::timeout(self.connect_timeout, attempt)
            .await
            .unwrap_or_else(|_| Err(self.silent(host)))?;
        if let Err(error) = facts.judge(&host.to_string(), self.target) {
            // The verdict is what counts; how the farewell goes is not.
            let _farewell = connection.close().await;
            return Err(error);
        }
        Ok(Opened { connection, options, facts })
    }

    /// A session of tokio-postgres with the first host that serves, for the hot paths.
    ///
    /// # Errors
    ///
    /// As [`Db::connect`](crate::Db::connect).
    pub async fn session(&self, application: &str) -> Result<Session, Error> {
        let connector = tls::connector(self)?;
        let mut failures = Vec::new();
        for host in &self.hosts {
            let mut config = self.tokio(host, application);
            if self.hosts.len() > 1 && self.target != Target::Any {
                config.target_session_attrs(tokio_postgres::config::TargetSessionAttrs::ReadWrite);
            }
            let attempt = Box::pin(config.connect(connector.clone()));
            match tokio::time::timeout(self.connect_timeout, attempt).await {
                Ok(Ok((client, connection))) => return Ok(Session { client, connection }),
                Ok(Err(error)) => failures.push(refusal::of_tokio(self, host, error)),
                Err(_) => failures.push(self.silent(host)),
            }
        }
        Err(all_failed(failures))
    }

    fn silent(&self, host: &Host) -> Error {
        Error::new(
            ErrorKind::Unavailable,
            format!(
                "{host} did not answer within {} s: check the address, the firewall, and that \
                 the server runs (connect_timeout sets the time)",
                self.connect_timeout.as_secs()
            ),
        )
    }
}

/// Why a host was refused that may take writes later by itself: a standby by its promotion.
#[derive(Debug)]
struct TakesNoWrites;

impl fmt::Display for TakesNoWrites {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the server takes no writes")
    }
}

impl StdError for TakesNoWrites {}

/// One host's error as it is; of several hosts each one's, with the most telling kind.
fn all_failed(mut failures: Vec<Error>) -> Error {
    if failures.len() == 1 {
        return failures.remove(0);
    }
    let all: Vec<String> = failures.iter().map(ToString::to_string).collect();
    let waits = |error: &Error| error.source().is_some_and(<dyn StdError>::is::<TakesNoWrites>);
    // Somebody must act on a setup error; an unavailable host may come back by itself. Where it is
    // gone, and the others only wait to be promoted, that is a failover and passes too.
    let act = failures.iter().find(|error| error.kind() == ErrorKind::Setup && !waits(error));
    let passes = || failures.iter().find(|error| !waits(error));
    match act.or_else(passes).or(failures.first()) {
        Some(error) => Error::new(error.kind(), format!("no host serves: {}", all.join("; "))),
        None => Error::new(ErrorKind::Setup, "no host is named"),
    }
}

/// Asks a server what it is.
pub(crate) async fn inspect(connection: &mut PgConnection) -> Result<Facts, Error> {
    let asking = "asking the server for its version";
    let statement = sqlx::raw_sql(include_str!("../../sql/server_inspect.sql"));
    let row = sqlx::Executor::fetch_one(connection, statement)
        .await
        .map_err(|error| sqlstate::database(asking, error))?;
    let read = || {
        Ok(Facts {
            number: row.try_get("number")?,
            version: row.try_get("version")?,
            standby: row.try_get("standby")?,
            read_only: row.try_get("read_only")?,
        })
    };
    read().map_err(|error| sqlstate::database(asking, error))
}

impl Facts {
    /// Whether foldlog can work with a server that says this.
    pub(crate) fn judge(&self, place: &str, target: Target) -> Result<(), Error> {
        let refuse = |message| Err(Error::new(ErrorKind::Setup, message));
        let no_writes = |message| refuse(message).map_err(|error| error.with_source(TakesNoWrites));
        if self.number / 10_000 < OLDEST {
            return refuse(format!(
                "{place} is PostgreSQL {}; foldlog needs {OLDEST} or newer: upgrade the server or \
                 connect to another one",
                self.version
            ));
        }
        if self.standby && target != Target::Any {
            return no_writes(format!(
                "{place} is a standby: foldlog writes, so connect to the primary (name both hosts \
                 and the one that accepts writes is chosen)"
            ));
        }
        if self.read_only && target == Target::ReadWrite {
            return no_writes(format!(
                "{place} takes no writes (default_transaction_read_only is on): turn it off for \
                 this role or database, or connect to a server that does"
            ));
        }
        Ok(())
    }
}
