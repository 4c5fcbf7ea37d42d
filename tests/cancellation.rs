//! Futures dropped at every await: done or not done, and nothing left behind.

use std::future::{Future, IntoFuture, poll_fn};
use std::task::Poll;
use std::time::Duration;

use foldlog::prelude::*;
use foldlog_testkit::{TestDatabase, wait_until};
use uuid::Uuid;

use crate::bank::{Account, AccountEvent, Deposit, account, bench};

/// Polls a future so many times, each after it asked for it, then drops it. `None` if it was not
/// done by then.
async fn polled<T>(future: impl IntoFuture<Output = T>, times: u32) -> Option<T> {
    let mut future = Box::pin(future.into_future());
    let mut left = times;
    poll_fn(move |cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(value) => Poll::Ready(Some(value)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// No transaction stays open and no lock held.
async fn nothing_is_left_behind(database: &TestDatabase) {
    let left = "select
            (select count(*) from pg_stat_activity where datname = current_database()
                and pid <> pg_backend_pid() and state <> 'idle'
                and application_name not like 'foldlog %')
            + (select count(*) from pg_locks where locktype = 'advisory'
                and database = (select oid from pg_database where datname = current_database()))";
    wait_until(Duration::from_secs(20), async || {
        let left: i64 = sqlx::query_scalar(left).fetch_one(database.pool()).await.unwrap();
        left == 0
    })
    .await;
}

#[tokio::test]
async fn a_command_dropped_at_any_await_is_done_or_not_done() {
    let (database, app) = bench().await;
    let ada = account("ada");
    let (mut done, mut dropped, mut times) = (0_u64, 0, 0);
    // Until it gets to its end three times, whatever the way there.
    while done < 3 {
        let before = app.load::<Account>(&ada).await.unwrap();
        let end = polled(app.execute(&ada, Deposit(1)), times).await;
        nothing_is_left_behind(&database).await;
        let after = app.load::<Account>(&ada).await.unwrap();
        assert_eq!(after.state.cents, i64::try_from(after.version).unwrap());
        match end {
            Some(end) => {
                assert_eq!(end.unwrap().version, before.version + 1);
                done += 1;
            }
            None => {
                assert!(after.version - before.version <= 1, "after {times} polls");
                dropped += 1;
                times += 1;
            }
        }
    }
    assert!(dropped > 3, "the command has several awaits");
}

#[tokio::test]
async fn a_dropped_command_with_an_id_is_found_out_by_repeating_it() {
    let (database, app) = bench().await;
    let (ada, mut times) = (account("ada"), 0);
    let mut commands = 0;
    loop {
        let key = Uuid::now_v7();
        let command = || app.execute(&ada, Deposit(1)).command_id(key);
        let end = polled(command(), times).await;
        let repeated = command().await.unwrap();
        commands += 1;
        assert_eq!(repeated.version, commands, "after {times} polls");
        times += 1;
        if end.is_some() {
            assert!(repeated.repeated);
            break;
        }
    }
    nothing_is_left_behind(&database).await;
    assert_eq!(app.load::<Account>(&ada).await.unwrap().version, commands);
}

#[tokio::test]
async fn an_append_dropped_at_any_await_is_done_or_not_done() {
    let (database, app) = bench().await;
    let (ada, bob, mut times) = (account("ada"), account("bob"), 0);
    loop {
        let event = AccountEvent::Deposited { cents: 1 };
        let end = polled(app.append([any(&ada, event.clone()), any(&bob, event)]), times).await;
        nothing_is_left_behind(&database).await;
        let (ada, bob) = (app.load::<Account>(&ada).await, app.load::<Account>(&bob).await);
        assert_eq!(ada.unwrap().version, bob.unwrap().version, "after {times} polls");
        times += 1;
        if end.is_some() {
            break;
        }
    }
}

#[tokio::test]
async fn a_command_dropped_within_a_transaction_leaves_it_to_be_rolled_back() {
    let (database, app) = bench().await;
    let (ada, mut times) = (account("ada"), 0);
    loop {
        let mut tx = database.pool().begin().await.unwrap();
        let end = polled(app.execute(&ada, Deposit(1)).within(&mut tx), times).await;
        tx.rollback().await.unwrap();
        nothing_is_left_behind(&database).await;
        assert_eq!(app.load::<Account>(&ada).await.unwrap().version, 0, "after {times} polls");
        times += 1;
        if end.is_some() {
            break;
        }
    }
}
