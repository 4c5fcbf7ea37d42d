//! What a dropped future may not leave behind.

use std::time::Duration;

use sqlx::postgres::PgPoolOptions;
use sqlx::{PgConnection, PgPool, Row};
use tokio::time::{Instant, sleep, timeout};

use foldlog_pg::Db;

use crate::database::TestDatabase;

/// PostgreSQL goes on with a statement whose client is gone until it notices; more than that it does
/// not need.
const PATIENCE: Duration = Duration::from_secs(20);

impl TestDatabase {
    /// The database behind pools of one connection: what a dropped future keeps, the next call lacks.
    ///
    /// # Panics
    ///
    /// The server is gone.
    pub async fn narrow(&self) -> Db {
        let options = PgPoolOptions::new().max_connections(1).acquire_timeout(PATIENCE);
        let pool = options.connect(self.url()).await;
        let pool = pool.unwrap_or_else(|error| panic!("testkit: {error}"));
        Db::from_pool(pool).await.unwrap_or_else(|error| panic!("testkit: {error}"))
    }
}

/// Looks from outside at what sessions of a database hold.
pub struct Audit {
    session: PgConnection,
    // The applications that have sessions of foldlog's own, and how many each.
    expected: (Vec<&'static str>, Vec<i32>),
}

impl Audit {
    /// An audit of a database in which foldlog has no session but those of its pool.
    ///
    /// # Panics
    ///
    /// The server is gone.
    pub async fn of(database: &TestDatabase) -> Self {
        let session = database.db().session("testkit audit").await;
        let session = session.unwrap_or_else(|error| panic!("testkit: {error}"));
        Self { session, expected: (Vec::new(), Vec::new()) }
    }

    /// The same where up to so many sessions of an application are as it should be.
    #[must_use]
    pub fn beside(mut self, application: &'static str, sessions: i32) -> Self {
        self.expected.0.push(application);
        self.expected.1.push(sessions);
        self
    }

    /// Soon no session is in a transaction, holds a lock, or is there without being expected.
    ///
    /// # Panics
    ///
    /// With a list of what is left when that takes too long.
    pub async fn nothing_left(&mut self) {
        let until = Instant::now() + PATIENCE;
        loop {
            let left = self.left().await;
            if left.is_empty() {
                return;
            }
            assert!(Instant::now() < until, "left behind: {left:#?}");
            sleep(Duration::from_millis(2)).await;
        }
    }

    /// The same; and the pools of a [narrow](TestDatabase::narrow) database answer, outside of any
    /// transaction.
    ///
    /// # Panics
    ///
    /// As [`nothing_left`](Self::nothing_left); and when a pool is stuck or spoilt.
    pub async fn nothing_left_in(&mut self, db: &Db) {
        answers(db.own_pool()).await;
        answers(db.pool()).await;
        self.nothing_left().await;
    }

    async fn left(&mut self) -> Vec<String> {
        let rows = sqlx::query(include_str!("../../sql/session_left.sql"))
            .bind(&self.expected.0)
            .bind(&self.expected.1)
            .fetch_all(&mut self.session)
            .await
            .unwrap_or_else(|error| panic!("testkit: {error}"));
        rows.iter().map(|row| row.get(0)).collect()
    }
}

/// The one connection of a pool is to be had, is in no transaction, and still knows its statements.
async fn answers(pool: &PgPool) {
    let look = async {
        let mut connection = pool.acquire().await?;
        let alone = sqlx::raw_sql(include_str!("../../sql/transaction_alone.sql"));
        let alone: bool = alone.fetch_one(&mut *connection).await?.try_get(0)?;
        let echo = sqlx::query_scalar(include_str!("../../sql/echo.sql")).bind(42_i64);
        let echo: i64 = echo.fetch_one(&mut *connection).await?;
        Ok::<_, sqlx::Error>((alone, echo))
    };
    match timeout(PATIENCE, look).await {
        Ok(Ok((true, 42))) => {}
        Ok(Ok((false, _))) => panic!("a connection of the pool is left in a transaction"),
        Ok(Ok((true, other))) => panic!("a connection of the pool answers {other}, not 42"),
        Ok(Err(error)) => panic!("the pool is spoilt: {error}"),
        Err(_) => panic!("the pool does not answer within {PATIENCE:?}"),
    }
}
