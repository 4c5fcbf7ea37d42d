//! Shutdowns: what is under way is finished, what is held is let go of.

use std::future::pending;
use std::time::{Duration, Instant};

use foldlog_core::Tenant;
use foldlog_projections::{Registered, Workers};
use foldlog_testkit::wait_until;
use tokio_util::sync::CancellationToken;

use crate::domain::{Balance, account, deposit};
use crate::hand::{Gate, hand, scribe, write};
use crate::support::{Bench, PATIENCE, Running};

const UNHELD: &str =
    "select bool_and(owner is null and lease_until is null) from foldlog.checkpoint";

/// The sessions with which waits look ahead, while nobody works.
const LOOKING: &str = "select count(*) from pg_stat_activity
    where datname = current_database() and application_name = 'foldlog reader'";

#[tokio::test]
async fn a_batch_under_way_is_finished_before_the_workers_return() {
    let bench = Bench::new().await;
    let gate = Gate::closed();
    let held = gate.clone();
    let first = bench
        .open([
            hand::<1>(move |conn, events| {
                let gate = held.clone();
                Box::pin(async move {
                    write(conn, "first", events).await?;
                    gate.pass().await;
                    Ok(())
                })
            }),
            Registered::view::<Balance>().unwrap(),
        ])
        .await;
    bench.put(&account("a"), [deposit(1), deposit(2)]).await;
    let running = Running::start(&first, Workers::default());
    gate.reached().await;
    bench.caught_up("balance", "account").await;
    running.tell_to_end();
    // The idle classes are let go of while the busy one works on.
    bench
        .until(
            "select bool_and(owner is null) from foldlog.checkpoint where projection = 'balance'",
        )
        .await;
    assert!(!running.has_ended());
    assert!(!bench.value::<bool>(UNHELD).await);
    gate.open();
    running.end().await;
    assert!(bench.value::<bool>(UNHELD).await);
    bench.assert_ledger_is_exact().await;
    assert_eq!(bench.ledger().await.len(), 2);

    // So another process need not wait for leases to run out.
    let second = bench.open([scribe("second")]).await;
    bench.put(&account("a"), deposit(3)).await;
    let lease = Duration::from_secs(3_600);
    let running = Running::start(&second, Workers::default().lease(lease));
    bench.caught_up("hand", "account").await;
    bench.assert_ledger_is_exact().await;
    running.end().await;
}

#[tokio::test]
async fn a_batch_that_outlasts_the_drain_is_abandoned_and_loses_nothing() {
    let bench = Bench::new().await;
    let gate = Gate::closed();
    let held = gate.clone();
    let first = bench
        .open([hand::<1>(move |conn, events| {
            let gate = held.clone();
            Box::pin(async move {
                write(conn, "first", events).await?;
                gate.pass().await;
                pending().await
            })
        })])
        .await;
    bench.put(&account("a"), [deposit(1), deposit(2)]).await;
    let running = Running::start(&first, Workers::default().drain(Duration::from_millis(50)));
    gate.reached().await;
    let begun = Instant::now();
    running.end().await;
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert!(bench.value::<bool>(UNHELD).await);
    assert_eq!(bench.ledger().await, []);
    let second = bench.open([scribe("second")]).await;
    let running = Running::start(&second, Workers::default());
    bench.caught_up("hand", "account").await;
    bench.assert_ledger_is_exact().await;
    running.end().await;
}

#[tokio::test]
async fn a_shutdown_before_the_first_claim_and_a_second_start_are_fine() {
    let bench = Bench::new().await;
    let projections = bench.open([Registered::view::<Balance>().unwrap()]).await;
    for n in 0..5 {
        let running = Running::start(&projections, Workers::default());
        bench.put(&account("a"), deposit(n)).await;
        running.end().await;
        assert!(bench.value::<bool>(UNHELD).await);
    }
    let running = Running::start(&projections, Workers::default());
    bench.caught_up("balance", "account").await;
    bench.assert_folded::<Balance>().await;
    running.end().await;
}

#[tokio::test]
async fn a_wait_over_the_shutdown_and_one_after_it_keep_no_session() {
    let bench = Bench::new().await;
    let projections = bench.open([Registered::view::<Balance>().unwrap()]).await;
    let token = bench.put(&account("a"), deposit(1)).await;
    let wait = |timeout| {
        let views = projections.view::<Balance>(Tenant::default());
        async move { views.at_least(&token).timeout(timeout).get(&account("a")).await }
    };
    // Nobody works: it looks ahead again and again.
    let waiting = tokio::spawn(wait(PATIENCE));
    wait_until(PATIENCE, async || bench.value::<i64>(LOOKING).await == 1).await;
    let shutdown = CancellationToken::new();
    shutdown.cancel();
    projections.watch(shutdown).await;
    assert!(!waiting.is_finished());
    wait(Duration::ZERO).await.unwrap_err();
    let running = Running::start(&projections, Workers::default());
    assert_eq!(waiting.await.unwrap().unwrap().unwrap().cents, 1);
    running.end().await;
    // The handle lives on, and keeps nothing.
    wait_until(PATIENCE, async || bench.value::<i64>(LOOKING).await == 0).await;
    assert_eq!(projections.status().await.unwrap().len(), 4);
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_a_read_that_hangs() {
    let bench = Bench::new().await;
    let projections = bench.open([Registered::view::<Balance>().unwrap()]).await;
    let token = bench.put(&account("a"), deposit(1)).await;
    let lock = bench.holding("lock table foldlog.event in access exclusive mode").await;
    let views = projections.view::<Balance>(Tenant::default()).at_least(&token).timeout(PATIENCE);
    let waiting = tokio::spawn(async move { views.get(&account("a")).await });
    let hanging = format!("{LOOKING} and wait_event_type = 'Lock'");
    wait_until(PATIENCE, async || bench.value::<i64>(&hanging).await == 1).await;
    let shutdown = CancellationToken::new();
    shutdown.cancel();
    let watch = tokio::time::timeout(PATIENCE / 3, projections.watch(shutdown));
    watch.await.expect("the shutdown waited for the read");
    assert!(!waiting.is_finished());
    // The read is not broken off: it goes on as soon as it can.
    drop(lock);
    let running = Running::start(&projections, Workers::default());
    assert_eq!(waiting.await.unwrap().unwrap().unwrap().cents, 1);
    running.end().await;
    wait_until(PATIENCE, async || bench.value::<i64>(LOOKING).await == 0).await;
}
