//! Marks and appends at one and the same moment: one comes first, and the other obeys it.

use foldlog_core::ErrorKind;
use foldlog_core::Expected::{Any, Exact, NoStream};
use foldlog_eventstore::AppendError;
use tokio_util::sync::CancellationToken;

use crate::support::{Bench, failure, name, noted, request, run};

#[tokio::test]
async fn an_append_that_waited_for_a_tombstone_is_refused_by_it() {
    let bench = Bench::new().await;
    bench.append("note-a", Any, 1).await;
    let mut tx = bench.begun().await;
    bench.store.tombstone(&name("note-a"), "gone").within(&mut tx).await.unwrap();
    // One takes the short way, the other the long one.
    let short = bench.appending(request([noted("note-a", Exact(1), 2)]));
    let long = bench.appending(request([noted("note-a", Any, 2)]).id(uuid::Uuid::now_v7()));
    bench.waiting(2).await;
    run(&mut tx, "commit").await;
    for append in [short, long] {
        assert_eq!(failure(append.await.unwrap()).kind(), ErrorKind::Tombstoned);
    }
    assert_eq!(bench.all().await, ["note-a@1"]);
}

#[tokio::test]
async fn an_append_that_waited_for_a_mark_that_was_undone_is_made() {
    let bench = Bench::new().await;
    bench.append("note-a", Any, 1).await;
    let mut tx = bench.begun().await;
    bench.store.archive(&name("note-a"), "x").within(&mut tx).await.unwrap();
    let append = bench.appending(request([noted("note-a", Exact(1), 2)]));
    bench.waiting(1).await;
    run(&mut tx, "rollback").await;
    assert_eq!(append.await.unwrap().unwrap().streams[0].version, 2);
}

#[tokio::test]
async fn a_mark_waits_for_the_append_under_way_and_knows_its_events() {
    let bench = Bench::new().await;
    bench.append("note-a", Any, 1).await;
    let mut tx = bench.begun().await;
    bench.append_in(&mut tx, "note-a").await;
    let (store, stream) = (bench.store.clone(), name("note-a"));
    let late = tokio::spawn(store.truncate_before(&stream, 2, "x").expect_version(2).into_future());
    bench.waiting(1).await;
    run(&mut tx, "commit").await;
    assert!(late.await.unwrap().unwrap(), "version 2 is there, for the append came first");
    let page = store.read_stream(&stream, 0, 9).await.unwrap();
    assert_eq!((page.events.len(), page.version), (1, 2));
    let early = store.tombstone(&stream, "x").expect_version(1).await;
    assert!(matches!(early, Err(AppendError::Conflict { actual: 2, .. })), "{early:?}");
}

#[tokio::test]
async fn an_old_snapshot_appends_nothing_to_a_stream_that_was_closed_since() {
    let bench = Bench::new().await;
    bench.append("note-a", Any, 1).await;
    let mut old = bench.session().await;
    run(&mut old, "begin isolation level repeatable read; select 1 from foldlog.stream").await;
    bench.store.tombstone(&name("note-a"), "x").await.unwrap();
    let late = bench.store.append_in(&mut old, &request([noted("note-a", Any, 2)])).await;
    assert_eq!(failure(late).kind(), ErrorKind::Retry);
    run(&mut old, "rollback; begin isolation level repeatable read").await;
    let later = bench.store.append_in(&mut old, &request([noted("note-a", Any, 2)])).await;
    assert_eq!(failure(later).kind(), ErrorKind::Tombstoned);
}

#[tokio::test]
async fn a_closed_stream_in_a_group_harms_no_neighbour() {
    let bench = Bench::new().await;
    for stream in ["note-open", "note-archived", "note-dead"] {
        bench.append(stream, Any, 1).await;
    }
    bench.store.archive(&name("note-archived"), "a").await.unwrap();
    bench.store.tombstone(&name("note-dead"), "d").await.unwrap();
    let shutdown = CancellationToken::new();
    let running = tokio::spawn({
        let (store, shutdown) = (bench.store.clone(), shutdown.clone());
        async move { store.run(shutdown).await }
    });
    // So many at once that calls have several.
    let appends = (0..120).map(|n| {
        let (stream, expected) = match n % 4 {
            0 => ("note-open".to_owned(), Any),
            1 => ("note-archived".to_owned(), Any),
            2 => ("note-dead".to_owned(), Exact(1)),
            _ => (format!("note-new{n}"), NoStream),
        };
        let request = request([noted(&stream, expected, n)]);
        let request = if expected == Any { request.id(uuid::Uuid::now_v7()) } else { request };
        (n % 4, bench.appending(request))
    });
    for (kind, append) in appends.collect::<Vec<_>>() {
        let result = append.await.unwrap();
        match kind {
            1 => assert_eq!(failure(result).kind(), ErrorKind::Archived),
            2 => assert_eq!(failure(result).kind(), ErrorKind::Tombstoned),
            _ => assert!(result.is_ok(), "{result:?}"),
        }
    }
    // Loads in a group are told, too.
    let error = bench.store.read_stream(&name("note-dead"), 0, 1_000).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tombstoned);
    let page = bench.store.read_stream(&name("note-archived"), 0, 1_000).await.unwrap();
    assert_eq!(page.events.len(), 1);
    shutdown.cancel();
    running.await.unwrap().unwrap();
    assert_eq!(bench.stream("note-open").await.len(), 31);
    assert_eq!(bench.all().await.len(), 3 + 60);
}

#[tokio::test]
async fn a_mark_follows_no_default_isolation_level_of_the_database() {
    let bench = Bench::new().await;
    bench.append("note-a", Any, 1).await;
    let store = bench.serializable_by_default().await;
    assert!(store.archive(&name("note-a"), "put away").await.unwrap());
    assert!(store.unarchive(&name("note-a"), "wanted again").await.unwrap());
    assert!(store.truncate_before(&name("note-a"), 1, "nothing").await.is_ok());
    assert!(store.tombstone(&name("note-a"), "gone").await.unwrap());
}
