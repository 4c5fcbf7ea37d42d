//! Command ids: a repetition changes nothing and answers what the first one answered.

use std::sync::atomic::{AtomicU64, Ordering};

use foldlog::ErrorKind;
use foldlog::prelude::*;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::bank::{
    Account, AccountEvent, Deposit, Look, Paused, Peek, Short, Withdraw, account, bench, open,
    stored,
};

fn kind<R: std::fmt::Debug>(error: ExecuteError<R>) -> ErrorKind {
    let ExecuteError::Store(error) = error else { panic!("{error:?}") };
    error.kind()
}

#[tokio::test]
async fn a_repeated_command_answers_its_first_reply_after_a_restart_too() {
    let (database, app) = bench().await;
    let (ada, key) = (account("ada"), Uuid::now_v7());
    let first = app.execute(&ada, Deposit(5)).command_id(key).await.unwrap();
    assert_eq!((first.reply, first.version, first.repeated), (5, 1, false));
    let later = app.execute(&ada, Deposit(1)).await.unwrap();
    assert!(later.token.position() > first.token.position());

    app.shutdown().await.unwrap();
    let restarted = open(Db::connect(database.url()).await.unwrap()).await;
    for app in [&restarted, &restarted] {
        let again = app.execute(&ada, Deposit(5)).command_id(key).await.unwrap();
        assert_eq!((again.reply, again.version, again.repeated), (5, 1, true));
        assert_eq!(again.token, first.token);
    }
    assert_eq!(stored(&database).await, 2);
}

#[tokio::test]
async fn a_repeated_command_is_answered_even_if_it_would_be_rejected_by_now() {
    let (database, app) = bench().await;
    let (ada, key) = (account("ada"), Uuid::now_v7());
    app.execute(&ada, Deposit(5)).await.unwrap();
    let first = app.execute(&ada, Withdraw(5)).command_id(key).await.unwrap();
    assert_eq!((first.reply, first.version), (0, 2));

    let again = app.execute(&ada, Withdraw(5)).command_id(key).await.unwrap();
    assert_eq!((again.reply, again.version, again.repeated), (0, 2, true));
    assert_eq!(again.token, first.token);
    let error = app.execute(&ada, Withdraw(5)).await.unwrap_err();
    assert!(matches!(error, ExecuteError::Rejected(Short { missing: 5 })));
    assert_eq!(stored(&database).await, 2);
}

#[tokio::test]
async fn a_repeated_command_is_answered_although_its_expected_version_has_passed() {
    let (_database, app) = bench().await;
    let (ada, key) = (account("ada"), Uuid::now_v7());
    let command = || app.execute(&ada, Deposit(5)).expect_version(0).command_id(key);
    assert!(!command().await.unwrap().repeated);
    let again = command().await.unwrap();
    assert_eq!((again.reply, again.version, again.repeated), (5, 1, true));
    let other = app.execute(&ada, Deposit(5)).expect_version(0).command_id(Uuid::now_v7());
    assert!(matches!(other.await.unwrap_err(), ExecuteError::Conflict { actual: 1, .. }));
}

#[tokio::test]
async fn a_command_that_was_rejected_is_decided_again() {
    let (_database, app) = bench().await;
    let (ada, key) = (account("ada"), Uuid::now_v7());
    let error = app.execute(&ada, Withdraw(5)).command_id(key).await.unwrap_err();
    assert!(matches!(error, ExecuteError::Rejected(Short { missing: 5 })));
    app.execute(&ada, Deposit(5)).await.unwrap();
    let done = app.execute(&ada, Withdraw(5)).command_id(key).await.unwrap();
    assert_eq!((done.reply, done.repeated), (0, false));
}

#[tokio::test]
async fn a_command_without_events_leaves_its_receipt() {
    let (database, app) = bench().await;
    let (ada, key) = (account("ada"), Uuid::now_v7());
    let deposited = app.execute(&ada, Deposit(5)).await.unwrap();
    let first = app.execute(&ada, Peek).command_id(key).await.unwrap();
    assert_eq!((first.reply, first.version, first.repeated), (5, 1, false));
    assert_eq!(first.token, deposited.token);
    app.execute(&ada, Withdraw(3)).await.unwrap();
    let again = app.execute(&ada, Peek).command_id(key).await.unwrap();
    assert_eq!((again.reply, again.version, again.repeated), (5, 1, true));
    // Also when it would be rejected by now.
    app.execute(&ada, Withdraw(2)).await.unwrap();
    let again = app.execute(&ada, Peek).command_id(key).await.unwrap();
    assert_eq!((again.reply, again.version, again.repeated), (5, 1, true));
    assert_eq!(stored(&database).await, 3);
}

#[tokio::test]
async fn a_command_without_events_on_a_stream_without_any_is_done_once_too() {
    let (database, app) = bench().await;
    let (ada, key) = (account("ada"), Uuid::now_v7());
    let first = app.execute(&ada, Look).command_id(key).await.unwrap();
    assert_eq!((first.reply.0, first.version, first.repeated), (Some(key), 0, false));
    app.execute(&ada, Deposit(5)).await.unwrap();
    app.shutdown().await.unwrap();
    // Every part of the reply is what it was, the time to the nanosecond.
    let restarted = open(Db::connect(database.url()).await.unwrap()).await;
    let visit = Metadata::new().correlation("visit 7");
    let again = restarted.execute(&ada, Look).metadata(visit).command_id(key).await.unwrap();
    assert_eq!((again.reply, again.version, again.repeated), (first.reply, 0, true));
    // Nothing else may go by that id, with events or without.
    for other in [account("bob"), account("eve")] {
        let error = restarted.execute(&other, Look).command_id(key).await.unwrap_err();
        assert_eq!(kind(error), ErrorKind::IdReused);
    }
    assert_eq!(stored(&database).await, 1);
}

/// Looks at the balance just before others deposit a cent, so often.
struct Overtaken(App, AtomicU64);

impl Prepare<Account> for Overtaken {
    type Command = Peek;
    type Error = AppendError;

    async fn prepare(&self, _: &Account, cx: &Context<Account>) -> Result<Peek, AppendError> {
        if self.1.fetch_sub(1, Ordering::SeqCst) > 1 {
            self.0.append([any(cx.id(), AccountEvent::Deposited { cents: 1 })]).await?;
        }
        Ok(Peek)
    }
}

#[tokio::test]
async fn a_kept_reply_without_events_rests_on_the_version_that_it_names() {
    let (database, app) = bench().await;
    let (ada, key) = (account("ada"), Uuid::now_v7());
    app.execute(&ada, Deposit(5)).await.unwrap();
    let look = || Overtaken(app.clone(), AtomicU64::new(3));
    let seen = app.execute_with(&ada, look()).command_id(key).await.unwrap();
    assert_eq!((seen.reply, seen.version, seen.repeated), (7, 3, false));
    // Without an id nothing is kept, and nobody need wait for a quiet moment.
    let seen = app.execute_with(&ada, look()).await.unwrap();
    assert_eq!((seen.reply, seen.version), (7, 3));
    let again = app.execute(&ada, Peek).command_id(key).await.unwrap();
    assert_eq!((again.reply, again.version, again.repeated), (7, 3, true));
    assert_eq!(stored(&database).await, 4);
}

/// The reply of a program, and of the next version of it.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Slip {
    cents: i64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct LongerSlip {
    cents: i64,
    #[serde(default)]
    note: Option<String>,
}

#[derive(Default)]
struct Before;

#[derive(Default)]
struct After;

impl Decider for Before {
    type Event = AccountEvent;
    type Rejection = Short;
    fn evolve(&mut self, _: &AccountEvent) {}
}

impl Decider for After {
    type Event = AccountEvent;
    type Rejection = Short;
    fn evolve(&mut self, _: &AccountEvent) {}
}

impl Handles<Peek> for Before {
    type Reply = Slip;
    fn decide(&self, _: &Peek, _: &Context<Self>) -> Decided<Self, Peek> {
        Ok(Decision::none().reply(Slip { cents: 7 }))
    }
}

impl Handles<Peek> for After {
    type Reply = LongerSlip;
    fn decide(&self, _: &Peek, _: &Context<Self>) -> Decided<Self, Peek> {
        Err(Short { missing: 1 })
    }
}

#[tokio::test]
async fn a_kept_reply_without_events_is_read_by_the_next_version_of_a_program_and_the_last() {
    let database = crate::bank::database().await;
    let builder = App::builder(database.db()).aggregate::<Before>().aggregate::<After>();
    let app = builder.start().await.unwrap();
    let (ada, key) = (account("ada"), Uuid::now_v7());
    let first = app.of::<Before>().execute(&ada, Peek).command_id(key).await.unwrap();
    assert_eq!((first.reply, first.repeated), (Slip { cents: 7 }, false));
    let after = app.of::<After>().execute(&ada, Peek).command_id(key).await.unwrap();
    assert_eq!((after.reply, after.repeated), (LongerSlip { cents: 7, note: None }, true));
    let before = app.of::<Before>().execute(&ada, Peek).command_id(key).await.unwrap();
    assert_eq!((before.reply, before.repeated), (Slip { cents: 7 }, true));
}

#[tokio::test]
async fn an_id_that_was_used_for_another_stream_is_refused() {
    let (database, app) = bench().await;
    let (ada, bob, key) = (account("ada"), account("bob"), Uuid::now_v7());
    app.execute(&ada, Deposit(5)).command_id(key).await.unwrap();
    let error = app.execute(&bob, Deposit(5)).command_id(key).await.unwrap_err();
    assert_eq!(kind(error), ErrorKind::IdReused);
    // A rejection does not hide it.
    let error = app.execute(&bob, Withdraw(5)).command_id(key).await.unwrap_err();
    assert_eq!(kind(error), ErrorKind::IdReused);
    // An append of its own kind is something else as well.
    let event = AccountEvent::Deposited { cents: 5 };
    let error = app.append([any(&ada, event)]).id(key).await.unwrap_err();
    let AppendError::Store(error) = error else { panic!("{error:?}") };
    assert_eq!(error.kind(), ErrorKind::IdReused);
    assert_eq!(stored(&database).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_sent_several_times_at_once_is_done_once() {
    let (database, app) = bench().await;
    let (ada, key) = (account("ada"), Uuid::now_v7());
    let mut commands = tokio::task::JoinSet::new();
    for _ in 0..8 {
        commands.spawn(app.execute(&ada, Deposit(5)).command_id(key).into_future());
    }
    let done = commands.join_all().await.into_iter().map(Result::unwrap).collect::<Vec<_>>();
    assert!(done.iter().all(|done| (done.reply, done.version) == (5, 1)));
    assert_eq!(done.iter().filter(|done| !done.repeated).count(), 1);
    assert_eq!(stored(&database).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_with_its_own_repetition_is_no_conflict() {
    let (database, app) = bench().await;
    let (ada, key) = (account("ada"), Uuid::now_v7());
    let (command, mut pauses) = Paused::deposit(5);
    let slow = app.execute(&ada, command).command_id(key).retry(Retry::never());
    let slow = tokio::spawn(slow.into_future());
    pauses.decided().await;
    let fast = app.execute(&ada, Deposit(5)).command_id(key).await.unwrap();
    pauses.go();
    let slow = slow.await.unwrap().unwrap();
    assert_eq!((slow.reply, slow.version, slow.repeated), (5, 1, true));
    assert_eq!(slow.token, fast.token);
    assert_eq!(stored(&database).await, 1);
}

/// Its reply has another shape than an account's.
#[derive(Default)]
struct Ledger;

struct Quote(f64);

impl Decider for Ledger {
    type Event = AccountEvent;
    type Rejection = Short;
    fn evolve(&mut self, _: &AccountEvent) {}
}

impl Handles<Deposit> for Ledger {
    type Reply = Vec<String>;
    fn decide(&self, command: &Deposit, _: &Context<Self>) -> Decided<Self, Deposit> {
        Ok((AccountEvent::Deposited { cents: command.0 }, Vec::new()).into())
    }
}

impl Handles<Quote> for Ledger {
    type Reply = f64;
    fn decide(&self, command: &Quote, _: &Context<Self>) -> Decided<Self, Quote> {
        Ok((AccountEvent::Deposited { cents: 1 }, command.0).into())
    }
}

#[tokio::test]
async fn a_kept_reply_of_another_shape_is_an_error_that_names_it() {
    let database = crate::bank::database().await;
    let builder = App::builder(database.db()).aggregate::<Account>().aggregate::<Ledger>();
    let app = builder.start().await.unwrap();
    let (ada, key) = (account("ada"), Uuid::now_v7());
    app.execute(&ada, Deposit(5)).command_id(key).await.unwrap();
    let repeated = app.of::<Ledger>().execute(&ada, Deposit(5)).command_id(key);
    let ExecuteError::Store(error) = repeated.await.unwrap_err() else { panic!() };
    assert_eq!(error.kind(), ErrorKind::Decode);
    let text = error.to_string();
    assert!(
        text.contains(&key.to_string()) && text.contains("Vec<alloc::string::String>"),
        "{text}"
    );
}

#[tokio::test]
async fn a_reply_that_could_not_be_read_back_is_refused_before_anything_is_stored() {
    let database = crate::bank::database().await;
    let app = App::builder(database.db()).aggregate::<Ledger>().start().await.unwrap();
    let (ada, ledger) = (account("ada"), app.of::<Ledger>());
    let error = ledger.execute(&ada, Quote(f64::NAN)).command_id(Uuid::now_v7()).await.unwrap_err();
    assert_eq!(kind(error), ErrorKind::Invalid);
    assert_eq!(stored(&database).await, 0);
    // Without an id nothing is kept, so nothing needs to be read back.
    assert!(ledger.execute(&ada, Quote(f64::NAN)).await.unwrap().reply.is_nan());
    let quoted = ledger.execute(&ada, Quote(1.5)).command_id(Uuid::now_v7()).await.unwrap();
    assert!((quoted.reply - 1.5).abs() < f64::EPSILON);
}
