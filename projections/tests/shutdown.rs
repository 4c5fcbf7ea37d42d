//! Shutdowns: what is under way is finished, what is held is let go of.

use std::future::pending;
use std::time::{Duration, Instant};

use foldlog_projections::{Registered, Workers};

use crate::domain::{Balance, account, deposit};
use crate::hand::{Gate, hand, scribe, write};
use crate::support::{Bench, Running};

const UNHELD: &str =
    "select bool_and(owner is null and lease_until is null) from foldlog.checkpoint";

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
