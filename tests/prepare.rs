//! Look-ups before a decision: when they run, on what, and what becomes of their errors.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use foldlog::prelude::*;
use foldlog::{Prepare, Retry};
use tokio::sync::{Mutex, mpsc};
use uuid::Uuid;

use crate::bank::{Account, Deposit, Short, Withdraw, account, bench, stored};

/// Says how much, when it is asked; nothing once it is gone.
#[derive(Clone)]
struct Desk {
    asked: mpsc::UnboundedSender<i64>,
    says: Arc<Mutex<mpsc::UnboundedReceiver<i64>>>,
    count: Arc<AtomicUsize>,
}

/// The test's side of a desk.
struct Clerk {
    asked: mpsc::UnboundedReceiver<i64>,
    says: mpsc::UnboundedSender<i64>,
    count: Arc<AtomicUsize>,
}

fn desk() -> (Desk, Clerk) {
    let ((asked, asking), (says, saying)) = (mpsc::unbounded_channel(), mpsc::unbounded_channel());
    let count = Arc::new(AtomicUsize::new(0));
    let desk = Desk { asked, says: Arc::new(Mutex::new(saying)), count: Arc::clone(&count) };
    (desk, Clerk { asked: asking, says, count })
}

impl Clerk {
    fn asked(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }
}

#[derive(Debug, PartialEq, thiserror::Error)]
#[error("nobody is at the desk")]
struct Closed;

impl Desk {
    async fn ask(&self, balance: i64) -> Result<i64, Closed> {
        self.count.fetch_add(1, Ordering::SeqCst);
        let _ = self.asked.send(balance);
        self.says.lock().await.recv().await.ok_or(Closed)
    }
}

/// Withdraws what the desk says.
struct AsTold(Desk);

impl Prepare<Account> for AsTold {
    type Command = Withdraw;
    type Error = Closed;

    async fn prepare(&self, state: &Account, _: &Context<Account>) -> Result<Withdraw, Closed> {
        let cents = self.0.ask(state.cents).await?;
        // The state is still there after the look-up.
        Ok(Withdraw(cents.min(state.cents + 1)))
    }
}

#[tokio::test]
async fn the_facts_of_a_look_up_are_decided_on_and_asked_for_anew_after_a_conflict() {
    let (database, app) = bench().await;
    let ada = account("ada");
    app.execute(&ada, Deposit(10)).await.unwrap();
    let (desk, mut clerk) = desk();
    let running = tokio::spawn(app.execute_with(&ada, AsTold(desk)).into_future());
    assert_eq!(clerk.asked.recv().await, Some(10));
    app.execute(&ada, Deposit(5)).await.unwrap();
    clerk.says.send(3).unwrap();
    // What was said before the conflict counts no more.
    assert_eq!(clerk.asked.recv().await, Some(15));
    clerk.says.send(4).unwrap();
    let done = running.await.unwrap().unwrap();
    assert_eq!((done.reply, done.version, done.repeated), (11, 3, false));
    assert_eq!((clerk.asked(), stored(&database).await), (2, 3));
}

#[tokio::test]
async fn a_conflict_goes_to_the_caller_who_wants_no_other_look_up() {
    let (_database, app) = bench().await;
    let ada = account("ada");
    let (desk, mut clerk) = desk();
    let command = app.of::<Account>().execute_with(&ada, AsTold(desk)).retry(Retry::never());
    let running = tokio::spawn(command.into_future());
    clerk.asked.recv().await.unwrap();
    app.execute(&ada, Deposit(5)).await.unwrap();
    clerk.says.send(0).unwrap();
    let error = running.await.unwrap().unwrap_err();
    assert!(
        matches!(&error, ExecuteError::Conflict { since, .. } if since.count == 1),
        "{error:?}"
    );
    assert_eq!(clerk.asked(), 1);
}

#[tokio::test]
async fn an_error_of_a_look_up_is_no_rejection_and_leaves_nothing() {
    let (database, app) = bench().await;
    let (ada, key) = (account("ada"), Uuid::now_v7());
    app.execute(&ada, Deposit(10)).await.unwrap();
    let (desk, clerk) = desk();
    let Clerk { says, count, .. } = clerk;
    drop(says);
    let error = app.execute_with(&ada, AsTold(desk.clone())).command_id(key).await.unwrap_err();
    assert!(matches!(&error, ExecuteError::Unprepared(Closed)), "{error:?}");
    assert_eq!(error.to_string(), "nobody is at the desk");
    let as_any: Box<dyn std::error::Error + Send + Sync> = error.into();
    assert_eq!(as_any.to_string(), "nobody is at the desk");
    // Not even tried again; and in a transaction, which stays usable.
    assert_eq!(count.load(Ordering::SeqCst), 1);
    let mut tx = database.pool().begin().await.unwrap();
    let within = app.execute_with(&ada, AsTold(desk)).within(&mut tx).command_id(key);
    assert!(matches!(within.await, Err(ExecuteError::Unprepared(Closed))));
    let done = app.execute(&ada, Withdraw(1)).command_id(key).within(&mut tx).await.unwrap();
    assert!(!done.repeated);
    tx.commit().await.unwrap();
    assert_eq!(stored(&database).await, 2);
}

#[tokio::test]
async fn a_rejection_of_what_was_looked_up_is_a_rejection() {
    let (database, app) = bench().await;
    let (desk, clerk) = desk();
    clerk.says.send(7).unwrap();
    let error = app.execute_with(&account("ada"), AsTold(desk)).await.unwrap_err();
    assert!(matches!(error, ExecuteError::Rejected(Short { missing: 1 })), "{error:?}");
    assert_eq!(stored(&database).await, 0);
}

#[tokio::test]
async fn nothing_is_looked_up_for_a_repetition_that_its_receipt_answers() {
    let (database, app) = bench().await;
    let (ada, key) = (account("ada"), Uuid::now_v7());
    app.execute(&ada, Deposit(10)).await.unwrap();
    let (desk, clerk) = desk();
    let command = || app.execute_with(&ada, AsTold(desk.clone())).command_id(key);
    clerk.says.send(4).unwrap();
    let first = command().await.unwrap();
    assert_eq!((first.reply, first.repeated, clerk.asked()), (6, false, 1));
    // Also at a version that has passed, and within a transaction. The desk would never answer.
    let late = command().expect_version(0).await.unwrap();
    let mut tx = database.pool().begin().await.unwrap();
    let within = command().within(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    let again = command().retry(Retry::default()).await.unwrap();
    assert_eq!((late.reply, late.version, late.repeated), (6, 2, true));
    assert_eq!((within.reply, within.version, within.repeated), (6, 2, true));
    assert_eq!((again.reply, again.token, again.repeated), (6, first.token, true));
    assert_eq!(clerk.asked(), 1);
    // Nor at another version than the expected one, where nothing is to be decided.
    let stale = app.execute_with(&ada, AsTold(desk.clone())).expect_version(1).await;
    assert!(matches!(stale.unwrap_err(), ExecuteError::Conflict { actual: 2, .. }));
    // Nor for an id that stands for something else.
    let other = app.execute_with(&account("bob"), AsTold(desk.clone())).command_id(key).await;
    assert!(
        matches!(other.unwrap_err(), ExecuteError::Store(e) if e.kind() == foldlog::ErrorKind::IdReused)
    );
    assert_eq!((clerk.asked(), stored(&database).await), (1, 2));
}

#[tokio::test]
async fn a_look_up_that_its_own_repetition_overtook_answers_what_that_did() {
    let (database, app) = bench().await;
    let (ada, key) = (account("ada"), Uuid::now_v7());
    app.execute(&ada, Deposit(10)).await.unwrap();
    for cents in [2, 99] {
        let (desk, mut clerk) = desk();
        let key = if cents == 2 { key } else { Uuid::now_v7() };
        let slow = app.execute_with(&ada, AsTold(desk)).command_id(key);
        let slow = tokio::spawn(slow.into_future());
        clerk.asked.recv().await.unwrap();
        let fast = app.execute(&ada, Withdraw(1)).command_id(key).await.unwrap();
        // The first is accepted too late, the second rejected too late.
        clerk.says.send(cents).unwrap();
        let slow = slow.await.unwrap().unwrap();
        assert_eq!((slow.reply, slow.version, slow.repeated), (fast.reply, fast.version, true));
        assert_eq!(clerk.asked(), 1);
    }
    assert_eq!(stored(&database).await, 3);
}

#[tokio::test]
async fn a_look_up_within_a_transaction_sees_what_the_transaction_did() {
    let (database, app) = bench().await;
    let ada = account("ada");
    let (desk, mut clerk) = desk();
    let mut tx = database.pool().begin().await.unwrap();
    app.execute(&ada, Deposit(10)).within(&mut tx).await.unwrap();
    clerk.says.send(4).unwrap();
    let done = app.execute_with(&ada, AsTold(desk)).within(&mut tx).await.unwrap();
    assert_eq!((done.reply, done.version, clerk.asked.recv().await), (6, 2, Some(10)));
    assert_eq!(stored(&database).await, 0);
    tx.rollback().await.unwrap();
    assert_eq!(app.load::<Account>(&ada).await.unwrap().version, 0);
}

/// Takes what the context says into the command.
struct FromContext;

impl Prepare<Account> for FromContext {
    type Command = Deposit;
    type Error = std::convert::Infallible;

    async fn prepare(&self, _: &Account, cx: &Context<Account>) -> Result<Deposit, Self::Error> {
        assert_eq!(cx.id(), &account("ada"));
        assert_eq!(cx.metadata().correlation_id.as_deref(), Some("visit 7"));
        Ok(Deposit(i64::try_from(cx.version() + 100).unwrap()))
    }
}

#[tokio::test]
async fn a_look_up_is_told_what_the_decision_is_told() {
    let (_database, app) = bench().await;
    let ada = account("ada");
    app.execute(&ada, Deposit(1)).await.unwrap();
    let visit = Metadata::new().correlation("visit 7");
    assert_eq!(app.execute_with(&ada, FromContext).metadata(visit).await.unwrap().reply, 102);
}
