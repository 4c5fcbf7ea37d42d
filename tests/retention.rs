//! Segments that are dropped, and the views that read them.

use std::time::Duration;

use foldlog::prelude::*;
use foldlog::{ErrorKind, EventStore};
use foldlog_pg::Migrator;
use foldlog_testkit::{TestDatabase, server, wait_until};
use serde::{Deserialize, Serialize};

use crate::bank::{Account, AccountEvent, AccountId, Deposit, account};

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

/// A store with segments of four positions.
async fn narrow() -> TestDatabase {
    let database = server().await.database().await;
    let db = database.db();
    Migrator::new(&db, &EventStore::SETS).event_segment_width(4).run().await.unwrap();
    database
}

fn app(database: &TestDatabase) -> foldlog::AppBuilder {
    App::builder(database.db()).aggregate::<Account>().view::<Balance>()
}

#[tokio::test]
async fn what_a_view_has_not_taken_in_is_not_dropped_and_the_view_is_named() {
    let database = narrow().await;
    let ada = account("ada");
    let behind = app(&database).without_workers().start().await.unwrap();
    for _ in 0..9 {
        behind.execute(&ada, Deposit(1)).await.unwrap();
    }
    behind.truncate_before(&ada, 9, "x").await.unwrap();
    let stream = StreamName::of::<AccountEvent>(&Tenant::default(), &ada).unwrap();
    let last = behind.store().stream_info(&stream).await.unwrap().unwrap().last;
    let drop = || behind.store().drop_segments_before(last, "old");
    let error = drop().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy, "{error}");
    assert!(error.to_string().contains("projection balance"), "{error}");

    let working = app(&database).start().await.unwrap();
    // A view that is built after the cut and before the drop takes in all of it.
    let token = working.store().token(last);
    let row = working.view::<Balance>().at_least(&token).get(&ada).await.unwrap().unwrap();
    assert_eq!(row.cents, 9);
    assert_eq!(working.view::<Balance>().fresh(&ada).await.unwrap().unwrap().cents, 9);
    // The view's other slice classes have no event, and their checkpoints follow about once a second.
    let mut dropped = drop().await;
    wait_until(Duration::from_secs(30), async || {
        if dropped.as_ref().is_err_and(|error| error.kind() == ErrorKind::Busy) {
            dropped = drop().await;
        }
        dropped.is_ok()
    })
    .await;
    assert_eq!(dropped.unwrap().segments, 2);
    working.append([any(&ada, AccountEvent::Deposited { cents: 1 })]).await.unwrap();
    assert_eq!(working.view::<Balance>().fresh(&ada).await.unwrap().unwrap().cents, 10);
    working.shutdown().await.unwrap();
    behind.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_app_freezes_what_is_closed_without_being_asked() {
    let database = narrow().await;
    let first = app(&database).without_workers().start().await.unwrap();
    for _ in 0..5 {
        first.execute(&account("ada"), Deposit(1)).await.unwrap();
    }
    first.shutdown().await.unwrap();
    let second = app(&database).without_workers().start().await.unwrap();
    wait_until(Duration::from_secs(30), async || {
        second.store().segments().await.unwrap().first().is_some_and(|segment| segment.frozen)
    })
    .await;
    second.shutdown().await.unwrap();
}
