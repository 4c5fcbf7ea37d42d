//! Who waits for a boundary, and who for whom.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use foldlog_core::Expected;
use foldlog_eventstore::AppendError;
use foldlog_testkit::wait_until;
use sqlx::PgConnection;
use tokio_util::sync::CancellationToken;

use super::{append_in, condition, on, query, read, tagged};
use crate::support::{Bench, PATIENCE, noted, number, request, run, text};

const ASLEEP: &str = "select count(*) from pg_stat_activity
    where datname = current_database() and wait_event in ('PgSleep', 'advisory')";

/// Two tags, the first of which is locked first.
async fn in_order(session: &mut PgConnection) -> (&'static str, &'static str) {
    let sql = "select (foldlog.lock_bucket('', 'seat:1') < foldlog.lock_bucket('', 'seat:2'))::int::bigint";
    if number(session, sql).await == 1 { ("seat:1", "seat:2") } else { ("seat:2", "seat:1") }
}

#[tokio::test]
async fn who_waits_for_one_tag_keeps_nobody_from_another() {
    let bench = Bench::new().await;
    let mut session = bench.session().await;
    let (first, second) = in_order(&mut session).await;
    let (_, both) = read(&bench.store, &query(&[first]).or(query(&[second]))).await;
    let mut holder = bench.begun().await;
    append_in(&bench, &mut holder, &request([tagged("note-b", &[second])])).await.unwrap();
    let pending = bench.appending(on(&both, [tagged("note-a", &[])]));
    wait_until(PATIENCE, async || number(&mut session, ASLEEP).await == 1).await;
    let mut other = bench.begun().await;
    run(&mut other, "set local lock_timeout = '3s'").await;
    append_in(&bench, &mut other, &request([tagged("note-c", &[first])])).await.unwrap();
    assert!(!pending.is_finished(), "it waits on");
    run(&mut other, "rollback").await;
    run(&mut holder, "rollback").await;
    pending.await.unwrap().unwrap();
}

#[tokio::test]
async fn who_holds_a_boundary_gets_the_stream_of_who_waits_for_it() {
    // Nobody queues, so the server finds no deadlock: the one that waits for a boundary gives way.
    let bench = Bench::new().await;
    let mut session = bench.session().await;
    for group in [false, true] {
        let shutdown = CancellationToken::new();
        let running = group.then(|| {
            let (store, shutdown) = (bench.store.clone(), shutdown.clone());
            tokio::spawn(async move { store.run(shutdown).await })
        });
        tokio::task::yield_now().await;
        let before = condition(&bench, &["seat:1", "rare:1"]).await;
        let mut holder = bench.begun().await;
        run(&mut holder, "set local lock_timeout = '5s'").await;
        append_in(&bench, &mut holder, &request([tagged("note-b", &["seat:1"])])).await.unwrap();
        let pending = bench.appending(on(&before, [tagged("note-a", &[])]));
        wait_until(PATIENCE, async || number(&mut session, ASLEEP).await == 1).await;
        append_in(&bench, &mut holder, &request([tagged("note-a", &[])])).await.unwrap();
        run(&mut holder, "commit").await;
        pending.await.unwrap().unwrap();
        shutdown.cancel();
        if let Some(running) = running {
            running.await.unwrap().unwrap();
        }
    }
}

#[tokio::test]
async fn an_append_that_waits_for_a_condition_on_all_events_does_not_blame_its_stream() {
    let bench = Bench::new().await;
    bench.append("note-a", Expected::Any, 1).await;
    let all = condition(&bench, &[]).await;
    let mut judge = bench.begun().await;
    append_in(&bench, &mut judge, &on(&all, [tagged("note-b", &[])])).await.unwrap();
    for (expected, tags) in
        [(Expected::Exact(1), &[][..]), (Expected::Any, &[]), (Expected::Any, &["seat:1"])]
    {
        let mut session = bench.begun().await;
        run(&mut session, "set local lock_timeout = '200ms'").await;
        let events = match tags {
            [] => noted("note-a", expected, 1),
            tags => tagged("note-a", tags),
        };
        let busy = append_in(&bench, &mut session, &request([events])).await;
        assert!(matches!(&busy, Err(AppendError::BoundaryBusy { .. })), "{busy:?}");
        // It was an answer, and lock_timeout is as it was.
        assert_eq!(text(&mut session, "show lock_timeout").await, "200ms");
        run(&mut session, "rollback").await;
    }
}

/// Writers whose transactions overlap all the time, until told to stop.
fn writers(
    bench: &Bench,
    stop: &Arc<AtomicBool>,
    tags: &'static [&'static str],
) -> Vec<tokio::task::JoinHandle<()>> {
    (0..12)
        .map(|n| {
            let (store, stop) = (bench.store.clone(), stop.clone());
            tokio::spawn(async move {
                let mut session = store.db().session("foldlog test").await.unwrap();
                while !stop.load(Ordering::Relaxed) {
                    run(&mut session, "begin").await;
                    let events = match tags {
                        [] => noted(&format!("note-w{n}"), Expected::Any, 1),
                        tags => tagged(&format!("note-w{n}"), tags),
                    };
                    store.append_in(&mut session, &request([events])).await.unwrap();
                    run(&mut session, "select pg_sleep(0.02); commit").await;
                }
            })
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_stream_of_writers_without_a_pause_starves_no_condition() {
    let bench = Bench::new().await;
    for tags in [&["seat:1"][..], &[]] {
        let stop = Arc::new(AtomicBool::new(false));
        // No writer adds to it: once it is judged, it holds.
        let rare = query(tags).tagged(&super::tag("rare:1"));
        let asked = if tags.is_empty() {
            foldlog_core::Query::kinds::<crate::support::Note>(["Closed"])
        } else {
            rare
        };
        let (_, before) = read(&bench.store, &asked).await;
        let writing = writers(&bench, &stop, tags);
        let mut session = bench.session().await;
        let sql = "select count(*) from foldlog.event";
        let had = number(&mut session, sql).await;
        wait_until(PATIENCE, async || number(&mut session, sql).await > had + 20).await;
        let result = bench.store.append(&on(&before, [tagged("note-a", &[])])).await;
        stop.store(true, Ordering::Relaxed);
        for writer in writing {
            writer.await.unwrap();
        }
        result.unwrap();
    }
}
