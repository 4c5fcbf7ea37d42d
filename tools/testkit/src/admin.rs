//! Making and dropping databases, each time on a fresh connection: every test has a runtime of its
//! own, and a connection does not outlive the runtime that opened it.

use std::thread;
use std::time::Duration;

use foldlog_pg::{Db, Endpoint};
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};

/// Longer than a drop takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection to the server's own database.
pub(crate) struct Admin {
    connection: PgConnection,
}

impl Admin {
    pub(crate) async fn open(endpoint: &Endpoint, application: &str) -> Self {
        let session = endpoint.clone();
        let db = Db::open(session, None).await.unwrap_or_else(|error| panic!("testkit: {error}"));
        let connection = db.session(application).await;
        db.close().await;
        Self { connection: connection.unwrap_or_else(|error| panic!("testkit: {error}")) }
    }

    /// Keeps the session open for the life of the process.
    pub(crate) fn into_connection(self) -> PgConnection {
        self.connection
    }

    /// Runs a statement in which names in braces stand for identifiers.
    pub(crate) async fn run(&mut self, sql: &str, names: &[(&str, &str)]) {
        if let Err(error) = self.attempt(sql, names).await {
            panic!("testkit: {error} in: {}", filled(sql, names));
        }
    }

    pub(crate) async fn attempt(
        &mut self,
        sql: &str,
        names: &[(&str, &str)],
    ) -> Result<(), sqlx::Error> {
        let statement = AssertSqlSafe(filled(sql, names));
        sqlx::raw_sql(statement).execute(&mut self.connection).await.map(drop)
    }

    /// The first column of a list asked for with one parameter.
    pub(crate) async fn list(&mut self, sql: &'static str, parameter: &str) -> Vec<String> {
        let rows = sqlx::query(sql).bind(parameter).fetch_all(&mut self.connection).await;
        match rows.and_then(|rows| rows.iter().map(|row| row.try_get(0)).collect()) {
            Ok(list) => list,
            Err(error) => panic!("testkit: {error} in: {sql}"),
        }
    }

    pub(crate) async fn close(self) {
        // The work is done; how the farewell goes changes nothing.
        let _farewell = self.connection.close().await;
    }
}

fn filled(sql: &str, names: &[(&str, &str)]) -> String {
    names.iter().fold(sql.to_owned(), |sql, (mark, name)| {
        sql.replace(&format!("{{{mark}}}"), &format!("\"{}\"", name.replace('"', "\"\"")))
    })
}

/// Drops a database from code that can't wait for a future: on a thread with its own runtime.
pub(crate) fn drop_blocking(endpoint: &Endpoint, name: &str) {
    let (endpoint, name) = (endpoint.clone(), name.to_owned());
    let dropping = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
        let work = async {
            let mut admin = Admin::open(&endpoint, "foldlog testkit").await;
            let sql = include_str!("../sql/database_drop.sql");
            let dropped = admin.attempt(sql, &[("name", &name)]).await;
            admin.close().await;
            dropped.ok()
        };
        runtime.block_on(async { tokio::time::timeout(PATIENCE, work).await.ok().flatten() })
    });
    // Best effort: what stays behind is dropped by the next process.
    let _dropped = dropping.join();
}
