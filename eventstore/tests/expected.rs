//! Expected versions, streams that are being born, and several streams in one append.

use foldlog_core::Expected::{Any, Exact, Exists, NoStream};
use foldlog_core::{Expected, Position};
use foldlog_eventstore::{AppendError, Request};

use crate::support::{Bench, conflict, noted, noted_many, number, request, run};

const STREAMS: &str = "select count(*) from foldlog.stream";

#[tokio::test]
async fn every_expectation_holds_exactly_where_it_should() {
    let bench = Bench::new().await;
    let mut session = bench.session().await;
    let huge = [Exact(u64::MAX), Exact(i64::MAX as u64), Exact(i64::MAX as u64 + 1)];
    for expected in [Exists, Exact(1), Exact(7)].into_iter().chain(huge) {
        let result = bench.store.append(&request([noted("note-missing", expected, 1)])).await;
        assert_eq!(conflict(result), ("note-missing".into(), expected, 0));
    }
    assert_eq!(number(&mut session, STREAMS).await, 0, "no row for a stream that must be there");
    for (stream, expected) in [("note-any", Any), ("note-none", NoStream), ("note-zero", Exact(0))]
    {
        let appended = bench.append(stream, expected, 1).await;
        assert_eq!(appended.streams[0].version, 1, "{expected}");
        bench.append(stream, Any, 2).await;
        for wrong in [NoStream, Exact(0), Exact(1), Exact(3)].into_iter().chain(huge) {
            let result = bench.store.append(&request([noted(stream, wrong, 9)])).await;
            assert_eq!(conflict(result), (stream.into(), wrong, 2));
        }
        for (right, version) in [(Any, 3), (Exists, 4), (Exact(4), 5)] {
            assert_eq!(bench.append(stream, right, 3).await.streams[0].version, version);
        }
        assert_eq!(bench.stream(stream).await.len(), 5);
    }
}

#[tokio::test]
async fn a_conflict_in_one_stream_writes_nothing_in_the_others() {
    let bench = Bench::new().await;
    bench.append("note-b", Any, 1).await;
    for (expected, actual) in [(Exact(5), 1), (NoStream, 1)] {
        let parts =
            [noted("note-a", Any, 1), noted("note-b", expected, 1), noted("note-c", NoStream, 1)];
        let result = bench.store.append(&request(parts)).await;
        assert_eq!(conflict(result), ("note-b".into(), expected, actual));
    }
    assert_eq!(bench.all().await, ["note-b@1"]);
    // What was only tried counts as absent.
    for expected in [Exists, Exact(1)] {
        let result = bench.store.append(&request([noted("note-a", expected, 1)])).await;
        assert_eq!(conflict(result).2, 0);
    }
    bench.append("note-a", NoStream, 1).await;
    bench.append("note-c", NoStream, 1).await;
    assert_eq!(bench.all().await, ["note-b@1", "note-a@1", "note-c@1"]);
}

#[tokio::test]
async fn several_streams_grow_together_in_the_order_of_the_request() {
    let bench = Bench::new().await;
    bench.append("note-z", Any, 0).await;
    let parts = [
        noted_many("note-z", Exact(1), 1, 2),
        noted_many("note-a", NoStream, 3, 2),
        noted_many("note-checked", NoStream, 0, 0),
        noted("note-m", Any, 5),
    ];
    let appended = bench.store.append(&request(parts)).await.unwrap();
    let streams: Vec<_> = appended.streams.iter().map(|s| (s.version, s.position)).collect();
    let at = |n| Some(Position::new(n));
    assert_eq!(streams, [(3, at(3)), (2, at(5)), (0, None), (1, at(6))]);
    assert_eq!(appended.token.position(), Position::new(6));
    let order = ["note-z@1", "note-z@2", "note-z@3", "note-a@1", "note-a@2", "note-m@1"];
    assert_eq!(bench.all().await, order);
}

#[tokio::test]
async fn an_append_of_nothing_checks_and_writes_nothing() {
    let bench = Bench::new().await;
    bench.append("note-a", Any, 1).await;
    let check = |expected| request([noted_many("note-a", expected, 0, 0)]);
    let checked = bench.store.append(&check(Exact(1))).await.unwrap();
    assert_eq!((checked.streams[0].version, checked.streams[0].position), (1, None));
    let result = bench.store.append(&check(Exact(2))).await;
    assert_eq!(conflict(result), ("note-a".into(), Exact(2), 1));
    assert_eq!(bench.all().await, ["note-a@1"]);
}

/// Two appends that both make the stream; the first one ends when the second already waits.
async fn born_twice(
    bench: &Bench,
    (first, second): (Expected, Expected),
    end: &'static str,
) -> (Result<u64, AppendError>, Vec<(u64, String)>) {
    let stream = format!("note-born-{first}-{second}-{end}");
    let mut session = bench.begun().await;
    let earlier = request([noted(&stream, first, 1)]);
    bench.store.append_in(&mut session, &earlier).await.unwrap();
    let later = bench.appending(request([noted(&stream, second, 2)]));
    bench.waiting(1).await;
    run(&mut session, end).await;
    let outcome = later.await.unwrap().map(|appended| appended.streams[0].version);
    (outcome, bench.stream(&stream).await)
}

#[tokio::test]
async fn a_stream_born_in_two_appends_at_once_is_one_stream() {
    let bench = Bench::new().await;
    for pair in [(NoStream, Any), (Any, Any), (Any, NoStream), (NoStream, NoStream)] {
        let (outcome, stream) = born_twice(&bench, pair, "commit").await;
        if pair.1 == Any {
            assert_eq!(outcome.unwrap(), 2);
            assert_eq!(stream, [(1, "1".into()), (2, "2".into())]);
        } else {
            assert!(matches!(outcome, Err(AppendError::Conflict { actual: 1, .. })), "{outcome:?}");
            assert_eq!(stream, [(1, "1".into())]);
        }
    }
}

#[tokio::test]
async fn a_stream_whose_first_append_is_rolled_back_is_born_by_the_second() {
    let bench = Bench::new().await;
    for pair in [(NoStream, Any), (Any, NoStream), (NoStream, NoStream)] {
        let (outcome, stream) = born_twice(&bench, pair, "rollback").await;
        assert_eq!(outcome.unwrap(), 1, "{pair:?}");
        assert_eq!(stream, [(1, "2".into())]);
    }
    assert_eq!(number(&mut bench.session().await, STREAMS).await, 3);
}

#[tokio::test]
async fn appends_that_name_the_same_streams_in_opposite_order_do_not_deadlock() {
    for existing in [false, true] {
        let bench = Bench::new().await;
        if existing {
            bench.append("note-a", Any, 0).await;
            bench.append("note-b", Any, 0).await;
        }
        // A third holds one of the streams, so that both are on their way at once.
        for held in ["note-a", "note-b"] {
            let mut session = bench.begun().await;
            bench.append_in(&mut session, held).await;
            let forth = [noted("note-a", Any, 1), noted("note-b", Any, 1)];
            let back = [noted("note-b", Any, 2), noted("note-a", Any, 2)];
            let forth = bench.appending(request(forth));
            let back = bench.appending(request(back));
            bench.waiting(2).await;
            run(&mut session, "commit").await;
            forth.await.unwrap().unwrap();
            back.await.unwrap().unwrap();
        }
        let deadlocks = "select deadlocks from pg_stat_database where datname = current_database()";
        assert_eq!(number(&mut bench.session().await, deadlocks).await, 0);
        let counts = (bench.stream("note-a").await.len(), bench.stream("note-b").await.len());
        let before = usize::from(existing);
        assert_eq!(counts, (5 + before, 5 + before));
    }
}

#[tokio::test]
async fn a_request_that_can_not_be_meant_is_refused_before_it_is_sent() {
    let other = foldlog_core::Tenant::new("other").unwrap();
    let elsewhere = foldlog_core::StreamName::parse(&other, "note-b").unwrap();
    let elsewhere = || foldlog_eventstore::StreamEvents::raw(elsewhere.clone(), Any, vec![]);
    for parts in [
        vec![],
        vec![noted("note-a", Any, 1), noted("note-a", Any, 2)],
        vec![noted("note-a", Any, 1), elsewhere()],
        vec![noted_many("note-a", Any, 0, 1_001)],
        vec![noted_many("note-a", Any, 0, 501), noted_many("note-b", Any, 0, 500)],
    ] {
        let error = Request::new(parts).unwrap_err();
        assert_eq!(error.kind(), foldlog_core::ErrorKind::Invalid, "{error}");
    }
    let bench = Bench::new().await;
    bench.store.append(&request([noted_many("note-a", Any, 0, 1_000)])).await.unwrap();
    assert_eq!(bench.stream("note-a").await.len(), 1_000);
}
