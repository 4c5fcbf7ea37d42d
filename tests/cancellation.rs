//! Every future of the app, dropped at each of its awaits, on pools of one connection: done or not
//! done, and nothing left behind.

mod appends;
mod apps;
mod commands;
mod decisions;
mod keeping;
mod marks;
mod within;

use foldlog::prelude::*;
use foldlog_testkit::{Audit, TestDatabase};
use sqlx::PgConnection;

use crate::bank::{Account, account, database, open};

/// An app on pools of one connection, and who looks at it from outside.
struct Narrow {
    app: App,
    db: Db,
    audit: Audit,
    outside: PgConnection,
    database: TestDatabase,
}

impl Narrow {
    async fn new() -> Self {
        let database = database().await;
        let db = database.narrow().await;
        let app = open(db.clone()).await;
        // What an app keeps open as long as it runs.
        let audit = Audit::of(&database).await;
        let audit = audit.beside("foldlog listen", 1).beside("foldlog leases", 1);
        // Two lines each; and an append that waits for a stream has a connection of its own.
        let audit = audit.beside("foldlog load", 2).beside("foldlog append", 6);
        let outside = database.db().session("test").await.unwrap();
        Self { app, db, audit, outside, database }
    }

    /// No transaction, no lock, the pool at work; and whoever wants a stream gets it.
    async fn nothing_left(&mut self) {
        self.audit.nothing_left_in(&self.db).await;
        let lock = sqlx::raw_sql("select from foldlog.stream for update nowait");
        lock.execute(&mut self.outside).await.unwrap();
    }

    /// The version and the balance of an account, which are the same where only single cents come.
    async fn cents(&self, name: &str) -> u64 {
        let account = self.app.load::<Account>(&account(name)).await.unwrap();
        assert_eq!(account.state.cents, i64::try_from(account.version).unwrap());
        account.version
    }

    /// It ends in order: no call counts as under way that was dropped.
    async fn end(self) {
        self.app.shutdown().await.unwrap();
        let mut audit = Audit::of(&self.database).await;
        audit.nothing_left_in(&self.db).await;
    }
}
