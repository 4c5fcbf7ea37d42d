//! The way in: one database, its pool, and sessions outside the pool.

mod follow;

use std::sync::{Arc, Mutex, PoisonError};

use foldlog_core::{Error, ErrorKind};
use sqlx::pool::PoolConnection;
use sqlx::postgres::PgPoolOptions;
use sqlx::{PgConnection, PgPool, Postgres, Row};

use crate::connect::{Endpoint, Opened, Target, Variables, inspect, pooler};
use crate::server::{PrivateServer, ServerOptions};
use crate::sqlstate;

/// What the sessions of the pool are called in `pg_stat_activity`, unless the user named them.
const APPLICATION: &str = "foldlog";

/// Any of these says that the user means a server of their own.
const NAMES_A_SERVER: [&str; 6] =
    ["PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER", "PGSERVICE"];

/// A database that foldlog works with. Cloning it is cheap: all clones share one pool.
#[derive(Clone)]
pub struct Db {
    inner: Arc<Inner>,
}

struct Inner {
    pool: PgPool,
    // The same, unless the pool is the user's.
    own_pool: PgPool,
    endpoint: Endpoint,
    /// Another way to the same server, past a pooler.
    direct: Option<Endpoint>,
    description: String,
    /// Held by whoever asks the hosts which of them takes writes.
    following: tokio::sync::Mutex<()>,
    /// Let go of by `close`, or with the last clone.
    server: Mutex<Option<PrivateServer>>,
}

impl Db {
    /// Finds the database from the environment.
    ///
    /// 1. `DATABASE_URL`, or the `PG*` variables: a failure there is an error, never a reason to go
    ///    on to another database. `DATABASE_URL_DIRECT` names another way to the same database, past a
    ///    pooler. Neither may lead through one in transaction mode: see [`connect`](Self::connect).
    /// 2. PostgreSQL's binaries on this machine: a private server, kept in `FOLDLOG_DATA_DIR` or the
    ///    user's data folder, shared by all processes of the user and stopped by the last one.
    ///    `FOLDLOG_PG` chooses a major, `FOLDLOG_PG_BIN` a folder (`none` skips the search).
    /// 3. With the feature `embedded`: the same with fetched binaries.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect), and when there is no PostgreSQL at all: one error with the
    /// remedies.
    pub async fn from_env() -> Result<Self, Error> {
        Self::from_variables(&Variables::from_process()).await
    }

    /// As [`from_env`](Self::from_env), from variables that are passed in.
    ///
    /// # Errors
    ///
    /// As [`from_env`](Self::from_env).
    pub async fn from_variables(variables: &Variables) -> Result<Self, Error> {
        if let Some(url) = variables.get("DATABASE_URL") {
            return Self::open(Endpoint::parse(url, variables)?, direct(variables)?).await;
        }
        if NAMES_A_SERVER.iter().any(|name| variables.get(name).is_some()) {
            return Self::open(Endpoint::from_variables(variables)?, direct(variables)?).await;
        }
        Self::private(ServerOptions::new(variables.clone())).await
    }

    /// A private server with these options.
    ///
    /// # Errors
    ///
    /// As [`PrivateServer::start`].
    pub async fn private(options: ServerOptions) -> Result<Self, Error> {
        let server = PrivateServer::start(options).await?;
        let endpoint = server.endpoint("postgres");
        let opened = endpoint.open(APPLICATION).await?;
        let version = first_word(&opened.facts.version);
        let description = format!("PostgreSQL {version} ({})", server.description());
        let pool = Self::pool_after(opened, &endpoint).await?;
        tracing::info!("using {description}");
        Ok(Self::new(pool, endpoint, None, description, Some(server)))
    }

    /// Connects by a URL (`postgres://…`) or by `key=value` pairs. What they leave open comes from
    /// the `PG*` variables, as in psql.
    ///
    /// # Errors
    ///
    /// An address that can't be read; a server that does not answer, refuses the login, is older
    /// than PostgreSQL 15, is a standby or takes no writes; a pooler that gives one session of the
    /// server to several clients by turns (transaction or statement mode), where one client can run
    /// what another one prepared: each names the thing and the remedy.
    pub async fn connect(url: &str) -> Result<Self, Error> {
        Self::open(Endpoint::parse(url, &Variables::from_process())?, None).await
    }

    /// Connects to an endpoint. `direct` is another way to the same database, past a pooler, for
    /// LISTEN, replication and sessions outside the pool.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    pub async fn open(endpoint: Endpoint, direct: Option<Endpoint>) -> Result<Self, Error> {
        let mut opened = endpoint.open(name_of(&endpoint)).await?;
        let connection = &mut opened.connection;
        pooler::refuse(connection, &opened.options, &endpoint, direct.is_some()).await?;
        let version = first_word(&opened.facts.version);
        let description = format!("PostgreSQL {version} at {endpoint}");
        let pool = Self::pool_after(opened, &endpoint).await?;
        Ok(Self::new(pool, endpoint, direct, description, None))
    }

    /// Works beside the user's pool. foldlog's own statements run in a pool of its own, with the same
    /// options and at most as many connections: in a pool of yours, a `begin` that was cancelled
    /// half-way can leave a connection inside a transaction that nobody commits.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect), as far as the pool's server is concerned.
    pub async fn from_pool(pool: PgPool) -> Result<Self, Error> {
        let endpoint = Endpoint::of_pool(&pool.connect_options())?;
        let mut connection = pool
            .acquire()
            .await
            .map_err(|error| sqlstate::database("taking a connection from the pool", error))?;
        let facts = inspect(&mut connection).await?;
        facts.judge(&endpoint.to_string(), Target::ReadWrite)?;
        pooler::refuse(&mut connection, &pool.connect_options(), &endpoint, false).await?;
        drop(connection);
        let description = format!("PostgreSQL {} at {endpoint}", first_word(&facts.version));
        let own_pool = pool
            .options()
            .clone()
            .min_connections(0)
            .after_release(|connection, _| Box::pin(is_clean(connection)))
            .connect_lazy_with((*pool.connect_options()).clone());
        Ok(Self::with_pools(pool, own_pool, endpoint, None, description, None))
    }

    /// The pool, for the user's own statements and transactions.
    #[must_use]
    pub fn pool(&self) -> &PgPool {
        &self.inner.pool
    }

    /// The pool for foldlog's own statements, of which no connection is ever left in a transaction.
    #[must_use]
    pub fn own_pool(&self) -> &PgPool {
        &self.inner.own_pool
    }

    /// A connection of the pool for foldlog's own statements.
    ///
    /// Of several hosts it follows to the one that takes writes, within the pool's time: whether the
    /// host it knew refuses connections, is silent, can't be found any more, or has become a standby or
    /// read-only. For that the pool asks the server whenever it gives out a connection. One that is in
    /// use while its server turns read-only is given back first: until then its writes fail (25006).
    ///
    /// # Errors
    ///
    /// No connection in the pool's time; a server that refuses the login.
    pub async fn acquire(&self) -> Result<PoolConnection<Postgres>, Error> {
        if self.inner.endpoint.hosts.len() < 2 {
            return self.inner.own_pool.acquire().await.map_err(none_acquired);
        }
        // Boxed, as the handshakes with all the hosts would make each future of ours large.
        Box::pin(self.acquire_following()).await
    }

    /// A connection outside the pool that belongs to the caller, who closes it after an error or a
    /// cancelled call instead of using it again.
    ///
    /// It runs at read committed, whatever the server's default, and takes the way past a pooler where
    /// one was given. Of several hosts the one that takes writes now is chosen, and the pool follows to
    /// it, unless it has a way of its own.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    pub async fn session(&self, application: &str) -> Result<PgConnection, Error> {
        let mut opened = self.direct().open(application).await?;
        sqlx::query(include_str!("../sql/session_prepare.sql"))
            .execute(&mut opened.connection)
            .await
            .map_err(|error| sqlstate::database("preparing a session", error))?;
        if self.inner.direct.is_none() && self.inner.endpoint.hosts.len() > 1 {
            self.lead_to(&opened.options);
        }
        Ok(opened.connection)
    }

    /// Where the database is, for sessions of tokio-postgres.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.inner.endpoint
    }

    /// The way past a pooler, for LISTEN, replication and sessions outside the pool:
    /// `DATABASE_URL_DIRECT`, else the endpoint.
    #[must_use]
    pub fn direct(&self) -> &Endpoint {
        self.inner.direct.as_ref().unwrap_or(&self.inner.endpoint)
    }

    /// One line for people.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.inner.description
    }

    /// Closes the pool for all clones and lets go of the private server, which the last of all
    /// processes stops. Dropping the last clone does the same, without waiting for open work.
    pub async fn close(self) {
        self.inner.own_pool.close().await;
        self.inner.pool.close().await;
        let server = self.inner.server.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(server) = server
            && let Err(error) = server.close().await
        {
            tracing::warn!(%error, "the private server was not stopped");
        }
    }

    fn new(
        pool: PgPool,
        endpoint: Endpoint,
        direct: Option<Endpoint>,
        description: String,
        server: Option<PrivateServer>,
    ) -> Self {
        Self::with_pools(pool.clone(), pool, endpoint, direct, description, server)
    }

    fn with_pools(
        pool: PgPool,
        own_pool: PgPool,
        endpoint: Endpoint,
        direct: Option<Endpoint>,
        description: String,
        server: Option<PrivateServer>,
    ) -> Self {
        let (following, server) = (tokio::sync::Mutex::new(()), Mutex::new(server));
        let inner = Inner { pool, own_pool, endpoint, direct, description, following, server };
        Self { inner: Arc::new(inner) }
    }

    /// A pool on the host that has served. It opens its own connections; the one that has told us what
    /// we asked is closed.
    async fn pool_after(opened: Opened, endpoint: &Endpoint) -> Result<PgPool, Error> {
        let farewell = sqlx::Connection::close(opened.connection).await;
        farewell.map_err(|error| sqlstate::database("closing the first session", error))?;
        let mut pool = PgPoolOptions::new()
            .acquire_timeout(endpoint.connect_timeout.saturating_mul(3))
            .after_release(|connection, _| Box::pin(is_clean(connection)));
        if endpoint.hosts.len() > 1 {
            pool = follow::judging(pool, endpoint);
        }
        Ok(pool.connect_lazy_with(opened.options))
    }
}

/// What sessions of the pool are called.
fn name_of(endpoint: &Endpoint) -> &str {
    endpoint.application.as_deref().unwrap_or(APPLICATION)
}

/// Whether a connection that comes back to the pool is outside of any transaction.
///
/// sqlx counts its transactions itself, and a `begin` that was dropped half-way is not counted: the
/// connection would go on inside it, and acknowledge writes that no commit ever follows. The server
/// knows better. A refused statement closes the connection, and so does `false`.
async fn is_clean(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let probe = include_str!("../sql/transaction_probe.sql");
    sqlx::Executor::fetch_one(connection, sqlx::raw_sql(probe)).await?.try_get("alone")
}

fn none_acquired(error: sqlx::Error) -> Error {
    sqlstate::database("take a connection of the pool", error)
}

/// `15.18 (Debian 15.18-0+deb12u1)` is more than people want to read.
fn first_word(version: &str) -> &str {
    version.split_whitespace().next().unwrap_or(version)
}

fn direct(variables: &Variables) -> Result<Option<Endpoint>, Error> {
    let Some(url) = variables.get("DATABASE_URL_DIRECT") else { return Ok(None) };
    let named = |error: Error| {
        Error::new(ErrorKind::Setup, format!("DATABASE_URL_DIRECT: {error}")).with_source(error)
    };
    Endpoint::parse(url, variables).map(Some).map_err(named)
}

impl std::fmt::Debug for Db {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Db").field(&self.description()).finish()
    }
}
