//! Fences: whatever a worker still does after another has claimed its class comes to nothing.

use foldlog_core::{Position, Tenant};
use foldlog_projections::{Projections, Registered, Workers};

use crate::domain::{AccountEvent, Balance, account, deposit};
use crate::hand::{Gate, hand, scribe, write};
use crate::support::{Bench, Running, run, status};

/// A process whose worker stands in its transaction, with its writes made.
async fn caught_in_its_transaction(bench: &Bench) -> (Projections, Running, Gate) {
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
    for n in 0..5 {
        bench.put(&account("a"), deposit(n)).await;
    }
    let running = Running::start(&first, Workers::default());
    gate.reached().await;
    (first, running, gate)
}

/// Runs out the lease and has another process take the class and finish the work.
async fn taken_over(bench: &Bench) -> Running {
    let second = bench.open([scribe("second")]).await;
    let mine = status(&second, "hand").await.remove(0).owner.unwrap();
    let running = Running::start(&second, Workers::default());
    // Its owner prolongs the lease each second, so it may take more than one attempt.
    foldlog_testkit::wait_until(crate::support::PATIENCE, async || {
        let sql = "update foldlog.checkpoint set lease_until = now() - interval '1 s'";
        bench.run(&format!("{sql} where owner = '{mine}'")).await;
        status(&second, "hand").await.remove(0).owner.is_some_and(|owner| owner != mine)
    })
    .await;
    bench.caught_up("hand", "account").await;
    running
}

#[tokio::test]
async fn a_worker_whose_lease_ran_out_in_its_transaction_commits_nothing() {
    let bench = Bench::new().await;
    let (_first, first_running, gate) = caught_in_its_transaction(&bench).await;
    let second_running = taken_over(&bench).await;
    gate.open();
    bench
        .until(
            "select count(*) = 1 from pg_stat_activity where datname = current_database()
            and application_name = 'foldlog projection'",
        )
        .await;
    bench.put(&account("a"), deposit(5)).await;
    bench.caught_up("hand", "account").await;
    bench.assert_ledger_is_exact().await;
    assert!(bench.ledger().await.iter().all(|(who, ..)| who == "second"));
    first_running.end().await;
    assert!(bench.value::<bool>("select owner is not null from foldlog.checkpoint").await);
    second_running.end().await;
    bench.assert_ledger_is_exact().await;
}

#[tokio::test]
async fn a_worker_whose_epoch_was_raised_in_its_transaction_commits_nothing_and_goes_on_anew() {
    let bench = Bench::new().await;
    let (_first, running, gate) = caught_in_its_transaction(&bench).await;
    bench.run("update foldlog.checkpoint set epoch = epoch + 1, lease_until = now()").await;
    gate.open();
    bench.caught_up("hand", "account").await;
    bench.assert_ledger_is_exact().await;
    running.end().await;
}

#[tokio::test]
async fn a_view_writes_nothing_under_an_old_epoch() {
    let bench = Bench::new().await;
    let projections = bench.open([Registered::view::<Balance>().unwrap()]).await;
    bench.put(&account("a"), deposit(1)).await;
    let running = Running::start(&projections, Workers::default());
    bench.caught_up("balance", "account").await;
    // The worker has made its writes and waits for its checkpoint, which is claimed before it.
    let mut holder = bench
        .holding(
            "update foldlog.checkpoint set epoch = epoch + 1, owner = 'another',
            lease_until = now() + interval '1 day'",
        )
        .await;
    let token = bench.put(&account("a"), deposit(1)).await;
    bench.workers_waiting(1).await;
    run(&mut holder, "commit").await;
    bench
        .until(
            "select count(*) = 0 from pg_stat_activity where datname = current_database()
            and application_name = 'foldlog projection'",
        )
        .await;
    let events: i64 = bench.value("select events from foldlog_view.balance").await;
    assert_eq!(events, 1);
    let position: i64 = bench.value("select max(position) from foldlog.checkpoint").await;
    assert!(Position::new(position.unsigned_abs()) < token.position());
    // The other process is gone, too.
    bench.run("update foldlog.checkpoint set lease_until = now()").await;
    bench.caught_up("balance", "account").await;
    bench.assert_folded::<Balance>().await;
    running.end().await;
}

#[tokio::test]
async fn two_processes_that_take_turns_apply_each_event_once() {
    let bench = Bench::new().await;
    let handles = [
        bench.open([Registered::view::<Balance>().unwrap()]).await,
        bench.open([Registered::view::<Balance>().unwrap()]).await,
    ];
    let running = handles.each_ref().map(|handle| Running::start(handle, Workers::default()));
    for n in 0..60 {
        bench
            .put(
                &account(&format!("a{}", n % 5)),
                [deposit(n), AccountEvent::Withdrawn { cents: 1 }],
            )
            .await;
        if n % 6 == 0 {
            bench.run("update foldlog.checkpoint set lease_until = now(), epoch = epoch + 1").await;
        }
    }
    bench.caught_up("balance", "account").await;
    bench.assert_folded::<Balance>().await;
    let [one, other] = handles;
    let id = account("a0");
    let rows = [one, other].map(|handle| handle.view::<Balance>(Tenant::default()));
    for views in rows {
        assert_eq!(views.get(&id).await.unwrap(), views.fresh(&id).await.unwrap());
    }
    for running in running {
        running.end().await;
    }
}
