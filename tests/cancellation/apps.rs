//! Apps whose start or end is dropped, and what they tell of their views.

use foldlog::prelude::*;
use foldlog_testkit::{Audit, sweep};
use serde::{Deserialize, Serialize};

use super::Narrow;
use crate::bank::{Account, AccountEvent, AccountId, Deposit, account, database};

#[derive(View, Debug, PartialEq, Serialize, Deserialize)]
#[view(name = "balance", version = 1)]
struct Balance {
    #[key(stream)]
    account: AccountId,
    cents: i64,
}

impl Fold for Balance {
    type Event = AccountEvent;

    fn apply(&mut self, e: &Recorded<AccountEvent>) -> Row {
        if let AccountEvent::Deposited { cents } = e.event {
            self.cents += cents;
        }
        Row::Keep
    }
}

fn whole(db: Db) -> foldlog::AppBuilder {
    App::builder(db).aggregate::<Account>().view::<Balance>()
}

#[tokio::test]
async fn a_dropped_start_leaves_nothing_running_and_the_next_one_starts() {
    let database = database().await;
    let (db, mut audit) = (database.narrow().await, Audit::of(&database).await);
    sweep("AppBuilder::start", async |cut| {
        let drop_view = "delete from foldlog.checkpoint; delete from foldlog.projection;
            drop table if exists foldlog_view.balance; delete from foldlog.event_type";
        sqlx::raw_sql(drop_view).execute(database.pool()).await.unwrap();
        let started = cut.of(whole(db.clone()).start()).await.map(Result::unwrap);
        let is_started = started.is_some();
        drop(started);
        audit.nothing_left_in(&db).await;
        is_started
    })
    .await;
    let app = whole(db.clone()).start().await.unwrap();
    let ada = account("ada");
    let done = app.execute(&ada, Deposit(1)).await.unwrap();
    let row = app.view::<Balance>().at_least(&done.token).get(&ada).await.unwrap();
    assert_eq!(row.unwrap().cents, 1);
    app.shutdown().await.unwrap();
    audit.nothing_left_in(&db).await;
}

#[tokio::test]
async fn a_dropped_shutdown_is_finished_by_the_next_one() {
    let database = database().await;
    let (db, mut audit) = (database.narrow().await, Audit::of(&database).await);
    let ada = account("ada");
    sweep("App::shutdown", async |cut| {
        let app = whole(db.clone()).start().await.unwrap();
        app.execute(&ada, Deposit(1)).await.unwrap();
        let late = tokio::spawn(app.execute(&ada, Deposit(1)).into_future());
        let ended = cut.of(app.shutdown()).await;
        drop(late.await.unwrap());
        app.shutdown().await.unwrap();
        audit.nothing_left_in(&db).await;
        let unheld = "select bool_and(owner is null) from foldlog.checkpoint";
        let unheld: bool = sqlx::query_scalar(unheld).fetch_one(database.pool()).await.unwrap();
        assert!(unheld, "a lease is left at {cut:?}");
        ended.is_some()
    })
    .await;
}

#[tokio::test]
async fn dropped_looks_at_views_and_their_retirement_leave_nothing() {
    let database = database().await;
    let db = database.narrow().await;
    let app = whole(db.clone()).without_workers().start().await.unwrap();
    // The second is that of a wait that looks ahead; it goes with the app.
    let audit = Audit::of(&database).await;
    let audit = audit.beside("foldlog listen", 1).beside("foldlog reader", 1);
    let audit = audit.beside("foldlog load", 2).beside("foldlog append", 2);
    let outside = database.db().session("test").await.unwrap();
    let mut narrow = Narrow { app, db, audit, outside, database };
    let ada = account("ada");
    let token = narrow.app.execute(&ada, Deposit(1)).await.unwrap().token;
    sweep("App::status", async |cut| {
        let status = cut.of(narrow.app.status()).await;
        narrow.nothing_left().await;
        status.is_some()
    })
    .await;
    sweep("Views::get, Views::fresh, ViewsAt::get, of an app", async |cut| {
        let view = narrow.app.view::<Balance>();
        let reads = async {
            assert_eq!(view.get(&ada).await.unwrap(), None);
            assert_eq!(view.fresh(&ada).await.unwrap().unwrap().cents, 1);
            let wait = narrow.app.view::<Balance>().at_least(&token);
            wait.timeout(std::time::Duration::from_millis(10)).get(&ada).await.unwrap_err()
        };
        let reads = cut.of(reads).await;
        narrow.audit.nothing_left_in(&narrow.db).await;
        reads.is_some()
    })
    .await;
    sweep("App::retire", async |cut| {
        let retired = cut.of(narrow.app.retire("balance")).await;
        narrow.audit.nothing_left_in(&narrow.db).await;
        let live = "select (select count(*) from foldlog.projection where state = 'live')
            = (select count(*) from pg_tables where schemaname = 'foldlog_view')";
        let whole: bool = sqlx::query_scalar(live).fetch_one(narrow.database.pool()).await.unwrap();
        assert!(whole, "retired in part at {cut:?}");
        retired.is_some()
    })
    .await;
    narrow.end().await;
}
