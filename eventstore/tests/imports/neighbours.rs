//! Imports beside each other, and beside appends.

use std::collections::BTreeMap;

use foldlog_core::{Expected, Position, Source as _};
use foldlog_eventstore::{AppendError, ImportError};
use futures_util::StreamExt as _;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{history, labels, past};
use crate::support::{Bench, PATIENCE, follow, label, noted, request, run};

/// Events that come one by one, when they are sent.
fn fed() -> (
    mpsc::UnboundedSender<foldlog_eventstore::HistoricalEvent>,
    impl futures_util::Stream<Item = Result<foldlog_eventstore::HistoricalEvent, std::io::Error>> + Send,
) {
    let (feed, mut fed) = mpsc::unbounded_channel();
    (feed, futures_util::stream::poll_fn(move |cx| fed.poll_recv(cx)).map(Ok))
}

#[tokio::test]
async fn a_second_import_of_the_name_is_refused_while_the_first_runs() {
    let bench = Bench::new().await;
    let (feed, input) = fed();
    let store = bench.store.clone();
    let first = tokio::spawn(async move { store.import("one").batch_events(1).run(input).await });
    feed.send(past("note-1", 1)).unwrap();
    feed.send(past("note-1", 2)).unwrap();
    foldlog_testkit::wait_until(PATIENCE, async || !bench.all().await.is_empty()).await;
    let second = bench.store.import("one").run_iter(history(1, 2)).await.unwrap_err();
    assert!(matches!(second, ImportError::Running { .. }), "{second:?}");
    assert!(second.to_string().contains("another session"), "{second}");
    // Another name is another import.
    bench.store.import("two").run_iter([past("note-2", 1)]).await.unwrap();
    drop(feed);
    assert_eq!(first.await.unwrap().unwrap().done, 2);
    bench.store.import("one").run_iter(history(1, 2)).await.unwrap();
}

#[tokio::test]
async fn an_append_to_a_stream_that_is_being_imported_is_named() {
    let bench = Bench::new().await;
    let (feed, input) = fed();
    let store = bench.store.clone();
    let import = tokio::spawn(async move { store.import("one").batch_events(1).run(input).await });
    feed.send(past("note-1", 1)).unwrap();
    foldlog_testkit::wait_until(PATIENCE, async || !bench.all().await.is_empty()).await;
    bench.append("note-1", Expected::Exact(1), 7).await;
    feed.send(past("note-1", 2)).unwrap();
    drop(feed);
    let error = import.await.unwrap().unwrap_err();
    assert!(
        matches!(error, ImportError::OutOfStep { row: 2, end: 2, stored: true, .. }),
        "{error}"
    );
    assert!(error.to_string().contains("others have appended"), "{error}");
}

#[tokio::test]
async fn a_stream_that_somebody_holds_is_waited_for() {
    let bench = Bench::new().await;
    bench.append("note-1", Expected::Any, 1).await;
    let mut held = bench.begun().await;
    run(&mut held, "select from foldlog.stream for update").await;
    let store = bench.store.clone();
    let import = tokio::spawn(async move {
        store.import("rest").run_iter([past("note-2", 1), past("note-1", 2)]).await
    });
    bench.waiting(1).await;
    run(&mut held, "rollback").await;
    import.await.unwrap().unwrap();
    assert_eq!(bench.all().await, ["note-1@1", "note-2@1", "note-1@2"]);
}

/// Group append, lone appends and two imports at once: readers that follow see each event once and in
/// the order of its stream, and everybody is done in the end.
#[tokio::test]
async fn imports_and_appends_at_once_lose_nothing_and_readers_miss_nothing() {
    let bench = Bench::on(crate::support::database_of_width(512).await).await;
    let shutdown = CancellationToken::new();
    let running = {
        let (store, shutdown) = (bench.store.clone(), shutdown.clone());
        tokio::spawn(async move { store.run(shutdown).await })
    };
    let appenders: Vec<_> = (0..6)
        .map(|task| {
            let store = bench.store.clone();
            tokio::spawn(async move {
                for n in 0..60 {
                    let one = request([noted(&format!("note-a{task}"), Expected::Exact(n), 1)]);
                    loop {
                        match store.append(&one).await {
                            Ok(_) => break,
                            Err(AppendError::Busy { .. }) => {}
                            Err(error) => panic!("{error}"),
                        }
                    }
                }
            })
        })
        .collect();
    let importers: Vec<_> = ["x", "y"]
        .map(|prefix| {
            let store = bench.store.clone();
            tokio::spawn(async move {
                let turns = (1..=40).flat_map(|v| (0..25).map(move |s| (s, v)));
                let events = turns.map(move |(s, v)| past(&format!("note-{prefix}{s}"), v));
                store.import(prefix).batch_events(37).run_iter(events).await.unwrap()
            })
        })
        .into();
    let total = 6 * 60 + 2 * 1_000;
    let (mut cursor, mut ends, mut seen) = (Position::START, BTreeMap::new(), 0);
    let mut reader = bench.store.reader().await.unwrap();
    let following = async {
        while seen < total {
            for event in follow(&mut *reader, &mut cursor).await {
                let end: &mut u64 = ends.entry(event.stream.as_str().to_owned()).or_default();
                assert_eq!(event.version, *end + 1, "{}", label(&event));
                (*end, seen) = (event.version, seen + 1);
            }
        }
    };
    tokio::time::timeout(PATIENCE * 6, following).await.unwrap();
    for task in appenders {
        task.await.unwrap();
    }
    for task in importers {
        assert_eq!(task.await.unwrap().imported, 1_000);
    }
    shutdown.cancel();
    running.await.unwrap().unwrap();
    assert_eq!(ends.len(), 56);
    bench.nothing_wrong().await;
}

#[tokio::test]
async fn imported_streams_are_appended_to_by_the_group_at_once() {
    let bench = Bench::new().await;
    bench.store.import("history").run_iter(history(5, 4)).await.unwrap();
    let appends = (1..=5).map(|s| {
        let (store, stream) = (bench.store.clone(), format!("note-{s}"));
        async move { store.append(&request([noted(&stream, Expected::Exact(4), 5)])).await.unwrap() }
    });
    futures_util::future::join_all(appends).await;
    let all = bench.all().await;
    assert_eq!(all[..20], labels(5, 4)[..]);
    assert_eq!(all.len(), 25);
}
