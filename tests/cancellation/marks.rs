//! Dropped marks on the streams of aggregates.

use foldlog_testkit::sweep;

use super::Narrow;
use crate::bank::{Deposit, account};

#[tokio::test]
async fn a_dropped_mark_on_an_aggregate_is_made_or_not() {
    let mut narrow = Narrow::new().await;
    let ada = account("ada");
    narrow.app.execute(&ada, Deposit(1)).await.unwrap();
    sweep("Marking::into_future", async |cut| {
        narrow.app.unarchive(&ada, "x").await.unwrap();
        let marked = cut.of(narrow.app.archive(&ada, "x")).await.map(Result::unwrap);
        narrow.nothing_left().await;
        let again = narrow.app.archive(&ada, "x").await.unwrap();
        assert!(marked.is_none_or(|marked| marked && !again), "{cut:?}");
        marked.is_some()
    })
    .await;
    sweep("MarkingIn::into_future", async |cut| {
        let mut tx = narrow.db.pool().begin().await.unwrap();
        let marked =
            cut.of(narrow.app.tombstone(&ada, "x").within(&mut tx)).await.map(Result::unwrap);
        tx.rollback().await.unwrap();
        narrow.nothing_left().await;
        assert_eq!(narrow.cents("ada").await, 1);
        marked.is_some()
    })
    .await;
    narrow.end().await;
}
