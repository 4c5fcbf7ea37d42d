//! Dropped marks and dropped drops of segments: made or not made, and made by the next call.

use foldlog_core::Expected::Any;
use foldlog_core::Position;
use foldlog_testkit::sweep;

use super::Narrow;
use crate::support::{name, noted_many, number, request, run};

#[tokio::test]
async fn a_dropped_mark_is_made_or_not_and_made_by_the_next_call() {
    let mut narrow = Narrow::new().await;
    narrow.store.append(&request([noted_many("note-a", Any, 1, 3)])).await.unwrap();
    let stream = name("note-a");
    sweep("Marking::into_future", async |cut| {
        narrow.store.unarchive(&stream, "x").await.unwrap();
        narrow.begin_anew().await;
        let marked = cut.of(narrow.store.archive(&stream, "x")).await.map(Result::unwrap);
        narrow.nothing_left().await;
        let again = narrow.store.archive(&stream, "x").await.unwrap();
        assert!(marked.is_none_or(|marked| marked && !again), "{cut:?}");
        marked.is_some()
    })
    .await;
    sweep("MarkingIn::into_future", async |cut| {
        narrow.begin_anew().await;
        let mut tx = narrow.db.pool().begin().await.unwrap();
        let tombstone = narrow.store.tombstone(&stream, "x").within(&mut tx);
        let marked = cut.of(tombstone).await.map(Result::unwrap);
        tx.rollback().await.unwrap();
        narrow.nothing_left().await;
        assert_eq!(narrow.store.read_stream(&stream, 0, 9).await.unwrap().events.len(), 3);
        marked.is_some()
    })
    .await;
    sweep("EventStore::marks", async |cut| {
        narrow.begin_anew().await;
        let marks = cut.of(narrow.store.marks(&stream)).await.map(Result::unwrap);
        narrow.nothing_left().await;
        marks.is_some()
    })
    .await;
    sweep("EventStore::segments", async |cut| {
        narrow.begin_anew().await;
        let segments = cut.of(narrow.store.segments()).await.map(Result::unwrap);
        narrow.nothing_left().await;
        segments.is_some()
    })
    .await;
}

#[tokio::test]
async fn a_dropped_drop_of_segments_is_ended_by_the_next_and_no_version_is_lost() {
    let mut narrow = Narrow::of_width(4).await;
    let mut version = 0;
    sweep("Retention::into_future", async |cut| {
        narrow.store.append(&request([noted_many("note-a", Any, 1, 9)])).await.unwrap();
        version += 9;
        let last = number(&mut narrow.outside, "select max(position) from foldlog.event").await;
        let before = Position::new(last.unsigned_abs());
        let drop = || narrow.store.drop_segments_before(before, "old").kept_too();
        let dropped = cut.of(drop()).await.map(Result::unwrap);
        narrow.audit.nothing_left().await;
        drop().await.unwrap();
        narrow.nothing_left().await;
        let page = narrow.store.read_stream(&name("note-a"), 0, 99).await.unwrap();
        assert_eq!(page.version, version, "{cut:?}");
        assert!(
            page.events.len() < 9
                && page.events.len() as u64 == version + 1 - page.cut.unwrap().first_version
        );
        let left =
            "select count(*) from pg_class where relname ~ '^event_[0-9]{6}$' and relkind = 'r'
            and not exists (select from pg_inherits where inhrelid = pg_class.oid)";
        assert_eq!(number(&mut narrow.outside, left).await, 0);
        run(&mut narrow.outside, "select foldlog.segment_ensure_1(0)").await;
        dropped.is_some()
    })
    .await;
}
