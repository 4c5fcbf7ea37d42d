//! Every future of the store, dropped at each of its awaits, on pools of one connection: whole or
//! absent, and nothing left behind.

mod appends;
mod imports;
mod listing;
mod marks;
mod reads;

use std::time::Duration;

use foldlog_core::Expected::Any;
use foldlog_eventstore::EventStore;
use foldlog_pg::Db;
use foldlog_testkit::{Audit, TestDatabase, sweep};
use sqlx::PgConnection;
use tokio_util::sync::CancellationToken;

use crate::support::{Note, database, database_of_width, noted, number, request, run};

/// A store on pools of one connection, and who looks at it from outside.
struct Narrow {
    store: EventStore,
    db: Db,
    audit: Audit,
    outside: PgConnection,
    database: TestDatabase,
}

impl Narrow {
    async fn new() -> Self {
        Self::on(database().await).await
    }

    async fn of_width(width: u64) -> Self {
        Self::on(database_of_width(width).await).await
    }

    async fn on(database: TestDatabase) -> Self {
        let db = database.narrow().await;
        let store = EventStore::open(&db).await.unwrap();
        let audit = Audit::of(&database).await;
        let outside = database.db().session("test").await.unwrap();
        Self { store, db, audit, outside, database }
    }

    /// A store that knows nothing yet, behind a pool that has no connection yet.
    async fn begin_anew(&mut self) {
        self.db.clone().close().await;
        self.db = self.database.narrow().await;
        self.store = EventStore::open(&self.db).await.unwrap();
    }

    /// No transaction, no lock, no session, the pool at work; and whoever wants a stream gets it.
    async fn nothing_left(&mut self) {
        self.audit.nothing_left_in(&self.db).await;
        run(&mut self.outside, "select from foldlog.stream for update nowait").await;
    }
}

#[tokio::test]
async fn a_dropped_opening_of_the_store_leaves_nothing() {
    let mut narrow = Narrow::new().await;
    sweep("EventStore::open", async |cut| {
        let opened = cut.of(EventStore::open(&narrow.db)).await;
        narrow.nothing_left().await;
        EventStore::open(&narrow.db).await.unwrap();
        opened.is_some()
    })
    .await;
}

#[tokio::test]
async fn a_dropped_registration_leaves_its_types_to_be_registered() {
    let mut narrow = Narrow::new().await;
    sweep("EventStore::register", async |cut| {
        run(&mut narrow.outside, "delete from foldlog.event_type").await;
        let registered = cut.of(narrow.store.register::<Note>()).await;
        narrow.nothing_left().await;
        let sql = "select count(*) from foldlog.event_type";
        let types = number(&mut narrow.outside, sql).await;
        assert!(types == 2 || (types == 0 && registered.is_none()), "{types} of 2 types");
        narrow.store.register::<Note>().await.unwrap();
        assert_eq!(number(&mut narrow.outside, sql).await, 2);
        registered.is_some()
    })
    .await;
}

#[tokio::test]
async fn a_dropped_run_of_the_store_ends_its_sessions_and_can_run_again() {
    let mut narrow = Narrow::of_width(4).await;
    sweep("EventStore::run", async |cut| {
        let shutdown = CancellationToken::new();
        let script = {
            let (store, shutdown) = (narrow.store.clone(), shutdown.clone());
            let mut session = narrow.database.db().session("test").await.unwrap();
            tokio::spawn(async move {
                let listening = "select count(*) from pg_stat_activity
                    where datname = current_database() and application_name = 'foldlog listen'
                        and state = 'idle'";
                while number(&mut session, listening).await == 0 {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                store.append(&request([noted("note-a", Any, 1)])).await.unwrap();
                shutdown.cancel();
            })
        };
        let ended = cut.of(narrow.store.run(shutdown)).await;
        script.abort();
        assert!(script.await.is_ok() || ended.is_none());
        narrow.nothing_left().await;
        narrow.store.append(&request([noted("note-a", Any, 1)])).await.unwrap();
        ended.is_some()
    })
    .await;
}
