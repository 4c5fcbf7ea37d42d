//! Crashes: wherever a worker dies, every event counts once.

use foldlog_projections::{Registered, Workers};

use crate::domain::{AccountEvent, Balance, account, deposit};
use crate::hand::{Gate, hand, scribe, write};
use crate::support::{Bench, Running, run};

/// Where a worker can be held: what another session locks, so that it waits right there.
const POINTS: [&str; 3] = [
    // Before it loads.
    "lock table foldlog_view.balance in access exclusive mode",
    // Between loading and saving.
    "lock table foldlog_view.balance in share row exclusive mode",
    // Between saving and its checkpoint.
    "select from foldlog.checkpoint for update",
];

async fn batch(bench: &Bench, n: i64) {
    for id in 0..6 {
        let mut events: Vec<_> = (0..=n).map(deposit).collect();
        events.push(if id % 3 == 2 { AccountEvent::Closed } else { deposit(n) });
        bench.put(&account(&format!("a{id}")), events).await;
    }
}

fn workers() -> Workers {
    Workers::default().lease(std::time::Duration::from_millis(300))
}

#[tokio::test]
async fn a_process_killed_at_any_point_of_a_batch_loses_and_doubles_nothing() {
    let bench = Bench::new().await;
    let projections = bench.open([Registered::view::<Balance>().unwrap()]).await;
    for (n, point) in (0..).zip(POINTS) {
        let running = Running::start(&projections, workers());
        // Claimed before the checkpoints are locked.
        bench.until("select bool_and(owner is not null) from foldlog.checkpoint").await;
        let holder = bench.holding(point).await;
        batch(&bench, n).await;
        bench
            .until(
                "select count(*) > 0 from pg_stat_activity where wait_event_type = 'Lock'
            and datname = current_database() and application_name = 'foldlog projection'",
            )
            .await;
        running.abort().await;
        drop(holder);
        let running = Running::start(&projections, workers());
        bench.caught_up("balance", "account").await;
        bench.assert_folded::<Balance>().await;
        running.end().await;
    }
}

#[tokio::test]
async fn a_session_killed_at_any_point_of_a_batch_loses_and_doubles_nothing() {
    let bench = Bench::new().await;
    let projections = bench.open([Registered::view::<Balance>().unwrap()]).await;
    let running = Running::start(&projections, workers());
    for (n, point) in (0..).zip(POINTS) {
        bench.caught_up("balance", "account").await;
        let mut holder = bench.holding(point).await;
        batch(&bench, n).await;
        bench
            .until(
                "select count(*) > 0 from pg_stat_activity where wait_event_type = 'Lock'
            and datname = current_database() and application_name = 'foldlog projection'",
            )
            .await;
        bench.kill_workers().await;
        run(&mut holder, "rollback").await;
        bench.caught_up("balance", "account").await;
        bench.assert_folded::<Balance>().await;
    }
    running.end().await;
}

#[tokio::test]
async fn a_worker_is_resumed_after_each_of_many_interruptions() {
    let bench = Bench::new().await;
    let projections = bench.open([Registered::view::<Balance>().unwrap(), scribe("one")]).await;
    for n in 0..8_i64 {
        let running = Running::start(&projections, workers());
        batch(&bench, n).await;
        if n % 2 == 0 {
            bench.kill_workers().await;
        }
        // Wherever it is just now.
        running.abort().await;
    }
    let running = Running::start(&projections, workers());
    bench.caught_up("balance", "account").await;
    bench.caught_up("hand", "account").await;
    bench.assert_folded::<Balance>().await;
    bench.assert_ledger_is_exact().await;
    running.end().await;
}

#[tokio::test]
async fn a_session_killed_during_the_commit_is_tried_again() {
    let bench = Bench::new().await;
    // A deferred trigger makes the commit itself wait, before it is decided.
    bench
        .run(
            "create function public.hold() returns trigger language plpgsql as $$
            begin perform pg_advisory_xact_lock(42); return null; end $$;
            create constraint trigger hold after insert on public.ledger
            deferrable initially deferred for each row execute function public.hold()",
        )
        .await;
    let projections = bench.open([scribe("one")]).await;
    let running = Running::start(&projections, workers());
    let mut holder = bench.holding("select pg_advisory_xact_lock(42)").await;
    bench.put(&account("a"), [deposit(1), deposit(2)]).await;
    bench.workers_waiting(1).await;
    bench.kill_workers().await;
    run(&mut holder, "rollback").await;
    bench.caught_up("hand", "account").await;
    bench.assert_ledger_is_exact().await;
    running.end().await;
}

#[tokio::test]
async fn the_lease_of_a_killed_process_runs_out_and_another_takes_over() {
    let bench = Bench::new().await;
    let gate = Gate::closed();
    let held = gate.clone();
    let first = bench
        .open([hand::<1>(move |conn, events| {
            let gate = held.clone();
            Box::pin(async move {
                write(conn, "first", events).await?;
                gate.pass().await;
                Ok(())
            })
        })])
        .await;
    let second = bench.open([scribe("second")]).await;
    bench.put(&account("a"), [deposit(1), deposit(2)]).await;
    let killed = Running::start(&first, workers());
    gate.reached().await;
    killed.abort().await;
    let running = Running::start(&second, workers());
    bench.caught_up("hand", "account").await;
    bench.assert_ledger_is_exact().await;
    running.end().await;
}
