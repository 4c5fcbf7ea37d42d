//! Imports that are broken off, at any point: whole batches, and the same end.

use std::cell::RefCell;
use std::rc::Rc;

use foldlog_testkit::Cluster;
use futures_util::FutureExt as _;

use super::{history, labels};
use crate::support::{Bench, number, run};

/// Ends every session of imports, as a server does that an operator stops.
const KILL: &str = "select count(pg_terminate_backend(pid)) from pg_stat_activity
    where application_name = 'foldlog import' and datname = current_database()";

#[tokio::test]
async fn a_run_dropped_after_each_batch_goes_on_to_the_same_end() {
    let bench = Bench::new().await;
    for batches in 1..=6 {
        // Dropped when it has told of its last batch: the next one is on its way, or done.
        let stop = Rc::new(RefCell::new(0));
        let told = stop.clone();
        let (mut import, reached) = (
            Box::pin(bench.store.import("history").batch_events(5).run_iter(history(3, 10))),
            move || *told.borrow() >= batches,
        );
        let watched = std::future::poll_fn(|cx| {
            let done = import.poll_unpin(cx).is_ready();
            *stop.borrow_mut() += 1;
            if done || reached() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        });
        watched.await;
        drop(import);
        let mut session = bench.session().await;
        // Its server process may be at its last commit still.
        run(&mut session, "select pg_advisory_lock(foldlog.import_key('history'))").await;
        let stored = bench.all().await;
        assert_eq!(stored.len() % 5, 0, "whole batches: {}", stored.len());
        assert_eq!(stored, labels(3, 10)[..stored.len()]);
        let done = number(&mut session, "select coalesce(max(done), 0) from foldlog.import").await;
        assert_eq!(done, i64::try_from(stored.len()).unwrap());
    }
    bench.store.import("history").run_iter(history(3, 10)).await.unwrap();
    assert_eq!(bench.all().await, labels(3, 10));
    bench.nothing_wrong().await;
}

#[tokio::test]
async fn a_session_killed_after_each_batch_is_replaced_and_nothing_is_doubled() {
    let bench = Bench::new().await;
    let mut killer = bench.session().await;
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let store = bench.store.clone();
    let import = tokio::spawn(async move {
        let import = store.import("history").batch_events(3);
        import.on_progress(move |_| tell.send(()).unwrap_or_default()).run_iter(history(4, 9)).await
    });
    let mut killed = 0;
    while told.recv().await.is_some() {
        killed += number(&mut killer, KILL).await;
    }
    // The last kill may meet the end of the run: then it says so, and nothing is lost.
    match import.await.unwrap() {
        Ok(imported) => assert_eq!(imported.done, 36),
        Err(error) => assert!(error.to_string().contains("finish"), "{error}"),
    }
    assert!(killed > 3, "{killed} sessions were killed");
    assert_eq!(bench.all().await, labels(4, 9));
    bench.nothing_wrong().await;
    let again = bench.store.import("history").run_iter(history(4, 9)).await.unwrap();
    assert_eq!((again.imported, again.skipped), (0, 36));
}

#[tokio::test]
async fn a_server_that_crashes_in_an_import_keeps_whole_batches() {
    let mut bench: Bench<Cluster> = Bench::alone(&[]).await;
    for crash in 1..=2_u64 {
        let store = bench.store.clone();
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let import = tokio::spawn(async move {
            let import = store.import("history").batch_events(4);
            import
                .on_progress(move |_| tell.send(()).unwrap_or_default())
                .run_iter(history(4, 50))
                .await
        });
        for _ in 0..3 * crash {
            told.recv().await;
        }
        bench.crash().await;
        import.abort();
        let _broken_off = import.await;
        let stored = bench.all().await;
        assert_eq!(stored.len() % 4, 0);
        assert!(stored.len() >= 12);
        assert_eq!(stored, labels(4, 50)[..stored.len()]);
    }
    let end = bench.store.import("history").run_iter(history(4, 50)).await.unwrap();
    assert_eq!(end.done, 200);
    assert_eq!(bench.all().await, labels(4, 50));
}
