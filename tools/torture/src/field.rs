//! The field on which faults strike: the server, the way to it, the workers, and a note of what is
//! broken, so that everything can be healed whatever became of the fault that broke it.

use std::collections::BTreeMap;
use std::str::FromStr as _;
use std::sync::{Arc, Mutex as Notebook, MutexGuard, PoisonError};
use std::time::Duration;

use foldlog_testkit::Cluster;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, PgConnection};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout};

use crate::crew::Crew;
use crate::history::Moment;
use crate::proxy::Proxy;
use crate::recorder::Recorder;

/// What the sessions of faults are called. No fault strikes them.
pub const APPLICATION: &str = "torture fault";
/// A server recovers for a while after it was killed.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(20);

/// Everything that faults can get at.
pub struct Field {
    pub cluster: Mutex<Cluster>,
    /// Where the events are.
    pub database: String,
    /// The URL of a superuser in the server's own database, past every proxy.
    pub admin: String,
    /// The way that writers, readers and workers take.
    pub proxy: Proxy,
    pub crew: Mutex<Crew>,
    pub recorder: Arc<Recorder>,
    /// How long the workers' leases are.
    pub lease: Duration,
    pub(crate) wounds: Notebook<Wounds>,
}

/// What has been broken and not healed.
#[derive(Debug, Default)]
pub(crate) struct Wounds {
    /// The server is being killed, or waits to be started again.
    pub(crate) down: bool,
    /// Settings of the database.
    pub(crate) settings: bool,
    /// Prepared transactions by their names.
    pub(crate) prepared: BTreeMap<String, Prepared>,
}

/// A prepared transaction, as the history has to tell it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Prepared {
    /// The number of the history's transaction, if it appends.
    pub(crate) transaction: Option<u64>,
    pub(crate) begun: Moment,
    /// It was asked to commit: if it is gone, it has.
    pub(crate) committing: bool,
}

/// Why a fault came to nothing.
#[derive(Clone, Debug)]
pub struct Missed(pub String);

impl Field {
    #[must_use]
    pub fn new(
        cluster: Cluster,
        database: impl Into<String>,
        proxy: Proxy,
        crew: Crew,
        recorder: Arc<Recorder>,
        lease: Duration,
    ) -> Self {
        Self {
            admin: cluster.url("postgres"),
            cluster: Mutex::new(cluster),
            database: database.into(),
            proxy,
            crew: Mutex::new(crew),
            recorder,
            lease,
            wounds: Notebook::default(),
        }
    }

    /// A superuser's session in the events' database. A server that is away is waited for.
    pub(crate) async fn session(&self) -> Result<PgConnection, Missed> {
        self.patiently(&self.database).await
    }

    /// The same in the server's own database.
    pub(crate) async fn admin(&self) -> Result<PgConnection, Missed> {
        self.patiently("postgres").await
    }

    async fn patiently(&self, database: &str) -> Result<PgConnection, Missed> {
        let until = Instant::now() + PATIENCE;
        loop {
            let error = match self.attempt(database).await {
                Ok(session) => return Ok(session),
                Err(error) => error,
            };
            if Instant::now() > until {
                return Err(Missed(format!("no session: {error}")));
            }
            sleep(PAUSE).await;
        }
    }

    /// One session, now or never.
    pub(crate) async fn attempt(&self, database: &str) -> Result<PgConnection, sqlx::Error> {
        // Said at the start of the session, it outdoes what faults do to the database's settings.
        let own = [
            ("statement_timeout", "0"),
            ("lock_timeout", "0"),
            ("default_transaction_isolation", "read committed"),
        ];
        let options = PgConnectOptions::from_str(&self.admin)?
            .database(database)
            .application_name(APPLICATION)
            .options(own);
        match timeout(PATIENCE / 3, options.connect()).await {
            Ok(connected) => connected,
            Err(_) => Err(sqlx::Error::PoolTimedOut),
        }
    }

    /// The note of what is broken, for a moment: never across an await.
    pub(crate) fn wounds(&self) -> MutexGuard<'_, Wounds> {
        self.wounds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<sqlx::Error> for Missed {
    fn from(error: sqlx::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<std::io::Error> for Missed {
    fn from(error: std::io::Error) -> Self {
        Self(error.to_string())
    }
}

impl std::fmt::Display for Missed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
