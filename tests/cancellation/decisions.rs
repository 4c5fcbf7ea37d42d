//! Dropped decisions on boundaries, and reads of what they rest on.

use foldlog::prelude::*;
use foldlog::{Position, RawEvent, Retry};
use foldlog_testkit::sweep;
use uuid::Uuid;

use super::Narrow;
use crate::bank::stored;
use crate::boundaries::school::{Leave, defined, subscribe};

/// How many events there are of a course; half of them subscribe, and half leave.
async fn events(narrow: &Narrow) -> i64 {
    stored(&narrow.database).await
}

#[tokio::test]
async fn a_decision_dropped_at_any_await_is_made_or_not_made_and_its_id_tells() {
    let mut narrow = Narrow::new().await;
    narrow.app.append([defined("c1", 1)]).await.unwrap();
    sweep("Decide::into_future", async |cut| {
        let (before, key) = (events(&narrow).await, Uuid::now_v7());
        let decide = || narrow.app.decide(subscribe("c1", "ada")).command_id(key);
        let (first, again) = (decide(), decide());
        let first = cut.of(first).await;
        narrow.nothing_left().await;
        let is_there = events(&narrow).await == before + 1;
        let again = again.await.unwrap();
        assert_eq!((again.repeated, again.reply), (is_there, 0), "{cut:?}");
        assert_eq!(events(&narrow).await, before + 1, "twice, at {cut:?}");
        narrow.app.decide(Leave(subscribe("c1", "ada"))).await.unwrap();
        first.is_some_and(|first| first.unwrap().token == again.token)
    })
    .await;
    sweep("Decide::into_future, against a rival", async |cut| {
        let before = events(&narrow).await;
        let rival = narrow.app.decide(subscribe("c1", "bob")).retry(Retry::default());
        let rival = tokio::spawn(rival.into_future());
        let end = cut.of(narrow.app.decide(subscribe("c1", "ada"))).await;
        let rival = rival.await.unwrap();
        narrow.nothing_left().await;
        // One place, and one of them has it, or the one who was dropped.
        assert_eq!(events(&narrow).await, before + 1, "{cut:?}");
        assert!(end.as_ref().is_none_or(|end| end.is_ok() != rival.is_ok()), "{cut:?}");
        for who in ["ada", "bob"] {
            narrow.app.decide(Leave(subscribe("c1", who))).await.unwrap();
        }
        end.is_some()
    })
    .await;
    narrow.end().await;
}

#[tokio::test]
async fn a_decision_dropped_within_a_transaction_leaves_it_to_be_rolled_back() {
    let mut narrow = Narrow::new().await;
    narrow.app.append([defined("c1", 1)]).await.unwrap();
    sweep("DecideWithin::into_future", async |cut| {
        let (before, key) = (events(&narrow).await, Uuid::now_v7());
        let mut tx = narrow.db.pool().begin().await.unwrap();
        let decide = narrow.app.decide(subscribe("c1", "ada")).within(&mut tx).command_id(key);
        let end = cut.of(decide).await;
        let done = end.is_some();
        tx.rollback().await.unwrap();
        narrow.nothing_left().await;
        assert_eq!(events(&narrow).await, before, "{cut:?}");

        // The id was not used up, and the next transaction does what the dropped one did not.
        let mut tx = narrow.db.pool().begin().await.unwrap();
        let decide = narrow.app.decide(subscribe("c1", "ada")).command_id(key);
        assert!(!decide.within(&mut tx).await.unwrap().repeated);
        tx.commit().await.unwrap();
        assert_eq!(events(&narrow).await, before + 1, "{cut:?}");
        narrow.app.decide(Leave(subscribe("c1", "ada"))).await.unwrap();
        done
    })
    .await;
    narrow.end().await;
}

#[tokio::test]
async fn a_dropped_read_of_a_boundary_leaves_the_pool_as_it_was() {
    let mut narrow = Narrow::new().await;
    let many: Vec<_> = (0..40).map(|n| defined(&format!("c{n}"), 1)).collect();
    narrow.app.append(many).await.unwrap();
    let query = Query::of::<crate::boundaries::school::CourseEvent>();
    let tenant = Tenant::default();
    let take = |_: &RawEvent, _: &[usize]| Ok(());
    let store = narrow.app.store().clone();
    sweep("EventStore::read_matching, EventStore::since_condition", async |cut| {
        let reads = async {
            let condition = store.read_matching(&tenant, &query, Position::START, take).await?;
            store.since_condition(&condition).await
        };
        let since = cut.of(reads).await;
        narrow.nothing_left().await;
        since.is_some_and(|since| since.unwrap().count == 0)
    })
    .await;
    sweep("EventStore::read_matching_in, EventStore::since_condition_in", async |cut| {
        let mut tx = narrow.db.pool().begin().await.unwrap();
        let reads = async {
            let read = store.read_matching_in(&mut tx, &tenant, &query, Position::START, take);
            let condition = read.await?;
            store.since_condition_in(&mut tx, &condition).await
        };
        let since = cut.of(reads).await;
        // The transaction goes on behind a dropped read.
        let mut seen = 0;
        let count = |_: &RawEvent, _: &[usize]| {
            seen += 1;
            Ok(())
        };
        store.read_matching_in(&mut tx, &tenant, &query, Position::START, count).await.unwrap();
        assert_eq!(seen, 40);
        tx.rollback().await.unwrap();
        narrow.nothing_left().await;
        since.is_some()
    })
    .await;
    narrow.end().await;
}
