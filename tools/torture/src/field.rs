//! The field on which faults strike: the server, the way to it, the workers, and a note of what is
//! broken, so that everything can be healed whatever became of the fault that broke it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::sync::{Arc, Mutex as Notebook, MutexGuard, PoisonError};
use std::time::Duration;

use foldlog_core::BoxFuture;
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
/// How many ends of the server one piece of work outlives.
const ATTEMPTS_MAX: u32 = 20;

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
    /// What prepared transactions append.
    pub append: Option<AppendIn>,
    data: PathBuf,
    pub(crate) wounds: Notebook<Wounds>,
}

/// Appends in an open transaction and records it; answers with the number of the history's
/// transaction, whose end is told to the history when it is known. After an error nothing was
/// recorded that needs one.
pub type AppendIn = Box<
    dyn for<'a> Fn(&'a mut PgConnection) -> BoxFuture<'a, Result<Option<u64>, String>>
        + Send
        + Sync,
>;

/// What has been broken and not healed.
#[derive(Debug, Default)]
pub(crate) struct Wounds {
    /// The server is being killed, or waits to be started again.
    pub(crate) down: bool,
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

/// For work that is begun anew when the server goes away under it.
#[derive(Debug, Default)]
pub(crate) struct Insistence {
    attempts: u32,
}

impl Insistence {
    /// After a failure: the work is to be tried again on a new session, unless that was too often.
    pub(crate) async fn again(&mut self, missed: Missed) -> Result<(), Missed> {
        self.attempts += 1;
        if self.attempts == ATTEMPTS_MAX {
            return Err(missed);
        }
        sleep(PAUSE * self.attempts).await;
        Ok(())
    }
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
            data: cluster.data(),
            cluster: Mutex::new(cluster),
            database: database.into(),
            proxy,
            crew: Mutex::new(crew),
            recorder,
            lease,
            append: None,
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

    /// The processes of the sessions that may be struck, in the events' database; of those that are
    /// executing something, if `busy`.
    pub(crate) async fn sessions(
        &self,
        session: &mut PgConnection,
        busy: bool,
    ) -> Result<Vec<i32>, Missed> {
        self.assert_ours(session).await?;
        let list = sqlx::query_scalar(include_str!("../sql/session_list.sql"));
        let list = list.bind(&self.database).bind(APPLICATION).bind(busy);
        Ok(list.fetch_all(session).await?)
    }

    /// Ends these sessions, or all that may be struck; how many there were.
    pub(crate) async fn terminate(
        &self,
        session: &mut PgConnection,
        pids: Option<&[i32]>,
    ) -> Result<i64, Missed> {
        self.assert_ours(session).await?;
        let end = sqlx::query_scalar(include_str!("../sql/session_terminate.sql"));
        let end = end.bind(&self.database).bind(APPLICATION).bind(pids);
        Ok(end.fetch_one(session).await?)
    }

    /// Whether it is our own server that answers here.
    async fn assert_ours(&self, session: &mut PgConnection) -> Result<(), Missed> {
        let data: String = sqlx::query_scalar(include_str!("../sql/data_directory_read.sql"))
            .fetch_one(session)
            .await?;
        match Path::new(&data) == self.data {
            true => Ok(()),
            false => Err(Missed(format!("a server that is not ours, on {data}, answers"))),
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

/// A statement with its marks in braces replaced.
pub(crate) fn filled(sql: &str, texts: &[(&str, String)]) -> String {
    let fill =
        |sql: String, (mark, text): &(&str, String)| sql.replace(&format!("{{{mark}}}"), text);
    texts.iter().fold(sql.to_owned(), fill)
}

pub(crate) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
