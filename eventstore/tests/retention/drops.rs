//! Dropped segments: what goes with them, what is known all the same, and what is never lost.

use foldlog_core::Expected::{Any, Exact, NoStream};
use foldlog_core::{ErrorKind, Filter, Position, Source as _};
use foldlog_eventstore::{EventStore, MarkKind, StreamState};
use uuid::Uuid;

use super::{narrow, states};
use crate::support::{
    Bench, conflict, failure, follow, label, name, noted, noted_many, number, request, run,
};

/// Positions 1 to 10: note-a has 1, 2, 5; note-b has 3; note-c has the rest.
async fn bench() -> Bench {
    let bench = narrow().await;
    for (stream, count) in
        [("note-a", 2), ("note-b", 1), ("note-c", 1), ("note-a", 1), ("note-c", 5)]
    {
        bench.store.append(&request([noted_many(stream, Any, 1, count)])).await.unwrap();
    }
    bench
}

#[tokio::test]
async fn what_a_stream_keeps_is_not_dropped_unless_that_is_said() {
    let bench = bench().await;
    let drop = || bench.store.drop_segments_before(Position::new(4), "old");
    let error = drop().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    assert!(error.to_string().contains("note-"), "{error}");
    bench.store.truncate_before(&name("note-a"), 3, "x").await.unwrap();
    assert!(drop().await.unwrap_err().to_string().contains("note-b"));
    bench.store.archive(&name("note-b"), "x").await.unwrap();
    assert!(drop().await.is_err(), "what is archived is kept");
    bench.store.tombstone(&name("note-b"), "x").await.unwrap();
    let retired = drop().await.unwrap();
    assert_eq!((retired.kept_from, retired.segments), (Position::new(4), 1));
    let segments = states(&bench.store.segments().await.unwrap());
    assert_eq!(segments.first().unwrap().0, 1);
    assert_eq!(drop().await.unwrap().segments, 0, "once");
    assert_eq!(bench.all().await.len(), 7);
}

#[tokio::test]
async fn a_stream_goes_on_from_its_version_when_all_its_segments_are_gone() {
    let bench = bench().await;
    bench.append("note-late", Any, 1).await;
    bench.append("note-late", Any, 2).await;
    let retired = bench.store.drop_segments_before(Position::new(11), "old").kept_too().await;
    assert_eq!(
        retired.unwrap().segments,
        2,
        "whole ones below position 11, and it is in the third"
    );
    for (stream, version, first) in [("note-a", 3, 4), ("note-b", 1, 2), ("note-c", 6, 4)] {
        let info = bench.store.stream_info(&name(stream)).await.unwrap().unwrap();
        assert_eq!((info.version, info.first_version), (version, first), "{stream}");
        let mark = info.mark.unwrap();
        assert_eq!((mark.kind, &*mark.reason), (MarkKind::Dropped { first_version: first }, "old"));
        let page = bench.store.read_stream(&name(stream), 0, 99).await.unwrap();
        assert_eq!((page.version, page.cut.as_ref().unwrap().first_version), (version, first));
        let error = page.cut.unwrap().continues(&name(stream), 0).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Truncated);
        let wrong = request([noted(stream, Exact(0), 1)]).id(Uuid::now_v7());
        assert_eq!(
            conflict(bench.store.append(&wrong).await).2,
            version,
            "{stream} does not begin anew"
        );
        let next = bench.append(stream, Exact(version), 9).await;
        assert_eq!(next.streams[0].version, version + 1);
    }
    let late = bench.store.stream_info(&name("note-late")).await.unwrap().unwrap();
    assert_eq!((late.first_version, late.mark), (1, None), "what lost nothing is not marked");
}

#[tokio::test]
async fn a_repeat_that_nobody_can_tell_any_more_is_expired_and_no_conflict() {
    let bench = narrow().await;
    let first = request([noted_many("note-a", NoStream, 1, 2)]);
    let receipted = request([noted("note-a", Any, 3)]).id(Uuid::now_v7());
    bench.store.append(&first).await.unwrap();
    bench.store.append(&receipted).await.unwrap();
    // Reaches over into the second segment.
    let both = request([noted_many("note-a", Exact(3), 4, 2)]);
    bench.store.append(&both).await.unwrap();
    bench.store.truncate_before(&name("note-a"), 5, "x").await.unwrap();
    assert!(bench.store.append(&first).await.unwrap().repeated, "truncated, and still there");
    bench.store.drop_segments_before(Position::new(4), "old").await.unwrap();
    for lost in [&first, &request([noted("note-a", NoStream, 1)])] {
        let error = failure(bench.store.append(lost).await);
        assert_eq!(error.kind(), ErrorKind::Expired, "{error}");
    }
    assert!(bench.store.append(&receipted).await.unwrap().repeated, "receipts are kept for ever");
    assert!(bench.store.append(&both).await.unwrap().repeated);
    let other = request([noted("note-a", Exact(3), 4)]);
    assert_eq!(conflict(bench.store.append(&other).await).2, 5);
}

#[tokio::test]
async fn a_reader_on_its_way_is_told_and_a_new_one_begins_with_what_is_kept() {
    let bench = bench().await;
    let mut reader = bench.store.reader().await.unwrap();
    let page = reader.page(&Filter::all(), Position::START, 2).await.unwrap();
    assert_eq!(page.through, Position::new(2));
    bench.store.drop_segments_before(Position::new(8), "old").kept_too().await.unwrap();
    let error = reader.page(&Filter::all(), page.through, 2).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Truncated, "{error}");
    // Behind the last that was dropped nothing is missing.
    let mut cursor = Position::new(7);
    assert_eq!(follow(&mut *reader, &mut cursor).await.len(), 3);
    let all: Vec<_> = follow(&mut *reader, &mut Position::START.clone()).await;
    assert_eq!(all.iter().map(label).collect::<Vec<_>>(), ["note-c@4", "note-c@5", "note-c@6"]);
    EventStore::open(&bench.database.db()).await.unwrap();
}

#[tokio::test]
async fn a_drop_that_was_broken_off_anywhere_is_ended_by_the_next() {
    let bench = bench().await;
    let mut session = bench.session().await;
    let drop = || bench.store.drop_segments_before(Position::new(8), "old").kept_too();
    // Announced, and nothing more.
    run(&mut session, "select from foldlog.retention_begin_1(8, true, true)").await;
    bench.append("note-a", Exact(3), 4).await;
    // A transaction that has read the table holds up the detaching in its second half.
    let mut reader = bench.begun().await;
    run(&mut reader, "select count(*) from foldlog.event").await;
    run(&mut session, "select foldlog.retention_streams_1(0, 500, 'old')").await;
    run(&mut session, "set lock_timeout = '50ms'").await;
    let detach = "alter table foldlog.event detach partition foldlog.event_000000 concurrently";
    assert_eq!(crate::support::refused(&mut session, detach).await, "55P03");
    bench.append("note-b", Exact(1), 2).await;
    run(&mut reader, "rollback").await;
    // Detached by hand, and not dropped.
    run(&mut session, "alter table foldlog.event detach partition foldlog.event_000001").await;
    assert_eq!(drop().await.unwrap().segments, 2);
    assert_eq!(states(&bench.store.segments().await.unwrap()).first().unwrap().0, 2);
    let left = "select count(*) from pg_class where relname in ('event_000000', 'event_000001')";
    assert_eq!(number(&mut session, left).await, 0);
    bench.append("note-a", Exact(4), 5).await;
    let info = bench.store.stream_info(&name("note-a")).await.unwrap().unwrap();
    assert_eq!((info.version, info.first_version, info.state), (5, 4, StreamState::Open));
}

#[tokio::test]
async fn an_open_append_is_waited_for_and_its_version_is_known() {
    let bench = bench().await;
    let mut tx = bench.begun().await;
    bench.append_in(&mut tx, "note-a").await;
    let dropping = tokio::spawn(
        bench.store.drop_segments_before(Position::new(8), "old").kept_too().into_future(),
    );
    bench.waiting(1).await;
    run(&mut tx, "commit").await;
    assert_eq!(dropping.await.unwrap().unwrap().segments, 2);
    bench.append("note-a", Exact(4), 5).await;
    let stream = bench.stream("note-a").await;
    assert_eq!(stream.iter().map(|e| e.0).collect::<Vec<_>>(), [4, 5]);
}
