//! Streams that were cut: where they begin, and what can't be folded any more.

use foldlog_core::Expected::{Any, Exact};
use foldlog_core::{ErrorKind, Position, StreamTail};
use foldlog_eventstore::MarkKind;

use super::told;
use crate::support::{Bench, name, noted_many, request};

async fn versions(mut events: foldlog_eventstore::Events) -> Vec<u64> {
    let mut versions = Vec::new();
    while let Some(event) = events.next().await {
        versions.push(event.unwrap().version);
    }
    versions
}

#[tokio::test]
async fn a_truncated_stream_begins_at_its_cut_in_both_directions() {
    let bench = Bench::new().await;
    bench.store.append(&request([noted_many("note-a", Any, 1, 10)])).await.unwrap();
    let (store, stream) = (&bench.store, name("note-a"));
    assert!(store.truncate_before(&stream, 7, "old").await.unwrap());
    for after in [0, 1, 6] {
        let page = store.read_stream(&stream, after, 2).await.unwrap();
        assert_eq!(page.events.iter().map(|e| e.version).collect::<Vec<_>>(), [7, 8]);
        assert_eq!((page.version, page.more), (10, true));
        assert_eq!(page.cut.unwrap().first_version, 7);
    }
    assert_eq!(versions(store.stream_events(&stream, 0)).await, [7, 8, 9, 10]);
    assert_eq!(versions(store.stream_events_back(&stream, u64::MAX)).await, [10, 9, 8, 7]);
    let back = store.read_stream_back(&stream, 9, 2).await.unwrap();
    assert_eq!((back.events[1].version, back.more), (7, false));
    assert!(store.read_stream_back(&stream, 7, 2).await.unwrap().events.is_empty());
    let info = store.stream_info(&stream).await.unwrap().unwrap();
    assert_eq!((info.first_version, info.first), (7, Position::new(7)));
    assert!(matches!(info.mark.unwrap().kind, MarkKind::Truncated { first_version: 7, .. }));
    bench.append("note-a", Exact(10), 11).await;
    assert_eq!(versions(store.stream_events(&stream, 0)).await.len(), 5);
}

#[tokio::test]
async fn a_cut_only_moves_up_and_the_last_event_stays() {
    let bench = Bench::new().await;
    bench.store.append(&request([noted_many("note-a", Any, 1, 5)])).await.unwrap();
    let (store, stream) = (&bench.store, name("note-a"));
    assert!(!store.truncate_before(&stream, 1, "nothing is before it").await.unwrap());
    assert!(store.truncate_before(&stream, 3, "x").await.unwrap());
    assert!(!store.truncate_before(&stream, 2, "x").await.unwrap(), "it begins later already");
    assert!(!store.truncate_before(&stream, 3, "x").await.unwrap());
    assert!(store.truncate_to_summary(&stream, 3, "it was one after all").await.unwrap());
    assert!(!store.truncate_before(&stream, 3, "and stays one").await.unwrap());
    assert!(store.truncate_before(&stream, 5, "x").expect_version(5).await.unwrap());
    assert_eq!(store.read_stream(&stream, 0, 9).await.unwrap().events.len(), 1);
}

#[tokio::test]
async fn a_fold_goes_on_only_where_nothing_is_missing() {
    let bench = Bench::new().await;
    bench.store.append(&request([noted_many("note-a", Any, 1, 9)])).await.unwrap();
    let (store, stream) = (&bench.store, name("note-a"));
    store.truncate_before(&stream, 5, "old").await.unwrap();
    let cut = store.read_stream(&stream, 0, 9).await.unwrap().cut.unwrap();
    for version in 0..4 {
        let error = cut.continues(&stream, version).unwrap_err();
        assert_eq!(told(&error), (ErrorKind::Truncated, "old".to_owned()));
        assert!(error.to_string().contains("begins with version 5"), "{error}");
    }
    for version in [4, 5, 9, u64::MAX] {
        assert!(cut.continues(&stream, version).unwrap());
    }
    store.truncate_to_summary(&stream, 6, "closed the books").await.unwrap();
    let cut = store.read_stream(&stream, 0, 9).await.unwrap().cut.unwrap();
    assert!(!cut.continues(&stream, 0).unwrap() && !cut.continues(&stream, 4).unwrap());
    assert!(cut.continues(&stream, 5).unwrap());
}

/// What a view has folded and what its tail adds must be of one and the same order.
#[tokio::test]
async fn the_settled_order_and_the_tails_of_its_readers_know_no_marks() {
    let bench = Bench::new().await;
    for stream in ["note-cut", "note-dead", "note-put-away"] {
        bench.store.append(&request([noted_many(stream, Any, 1, 3)])).await.unwrap();
    }
    let before = bench.all().await;
    bench.store.truncate_before(&name("note-cut"), 3, "x").await.unwrap();
    bench.store.tombstone(&name("note-dead"), "x").await.unwrap();
    bench.store.archive(&name("note-put-away"), "x").await.unwrap();
    assert_eq!(bench.all().await, before);
    for stream in ["note-cut", "note-dead", "note-put-away"] {
        let tail = bench.store.tail(&name(stream), 1, Position::START, 9).await.unwrap();
        assert_eq!(tail.iter().map(|e| e.version).collect::<Vec<_>>(), [2, 3], "{stream}");
    }
}
