//! Aggregates whose streams are archived, truncated, closed for ever.

use foldlog::prelude::*;
use foldlog::{ErrorKind, Mark};
use foldlog_testkit::TestDatabase;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::bank::{Account, AccountEvent, Deposit, Peek, Withdraw, account, bench, database};

fn kind<R, L>(result: Result<foldlog::Executed<i64>, ExecuteError<R, L>>) -> ErrorKind {
    match result {
        Err(ExecuteError::Store(error)) => error.kind(),
        Err(_) => panic!("no error of the store"),
        Ok(executed) => panic!("it was accepted: {executed:?}"),
    }
}

async fn deposits(app: &App, count: usize) {
    for _ in 0..count {
        app.execute(&account("ada"), Deposit(1)).await.unwrap();
    }
}

#[tokio::test]
async fn an_archived_aggregate_is_loaded_and_accepts_no_event_until_it_is_unarchived() {
    let (_database, app) = bench().await;
    deposits(&app, 3).await;
    let ada = account("ada");
    assert!(app.archive(&ada, "she left").await.unwrap());
    assert_eq!(app.load::<Account>(&ada).await.unwrap().state.cents, 3);
    assert_eq!(app.execute(&ada, Peek).await.unwrap().reply, 3, "what appends nothing is answered");
    let refused = app.execute(&ada, Deposit(1)).await.unwrap_err();
    let ExecuteError::Store(error) = refused else { panic!("{refused:?}") };
    assert_eq!(error.kind(), ErrorKind::Archived);
    assert_eq!(Mark::of(&error).unwrap().reason, "she left");
    let event = AccountEvent::Deposited { cents: 1 };
    assert!(app.append([any(&ada, event)]).await.is_err());
    assert!(app.unarchive(&ada, "she is back").await.unwrap());
    assert_eq!(app.execute(&ada, Deposit(1)).await.unwrap().reply, 4);
    let red = app.tenant(Tenant::new("red").unwrap());
    assert!(red.archive(&ada, "x").await.is_err(), "another's stream");
}

#[tokio::test]
async fn no_state_is_folded_from_the_rest_of_a_stream() {
    let (_database, app) = bench().await;
    deposits(&app, 5).await;
    let ada = account("ada");
    app.truncate_before(&ada, 4, "older than a year").expect_version(5).await.unwrap();
    let error = app.load::<Account>(&ada).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Truncated);
    assert!(error.to_string().contains("older than a year"), "{error}");
    assert_eq!(kind(app.execute(&ada, Deposit(1)).await), ErrorKind::Truncated);
    for version in [1, 3, 4, 5] {
        let error = app.load_at_version::<Account>(&ada, version).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Truncated, "{version}");
    }
    assert_eq!(app.load_at_version::<Account>(&ada, 0).await.unwrap().state.cents, 0);
    let past = std::time::SystemTime::UNIX_EPOCH;
    assert_eq!(
        app.load_at_time::<Account>(&ada, past).await.unwrap_err().kind(),
        ErrorKind::Truncated
    );
    assert_eq!(app.export::<Account>(&ada).await.unwrap_err().kind(), ErrorKind::Truncated);
    // Events can be read, and appended without a state.
    let stream = StreamName::of::<AccountEvent>(&Tenant::default(), &ada).unwrap();
    assert_eq!(app.store().read_stream(&stream, 0, 9).await.unwrap().events.len(), 2);
    app.append([any(&ada, AccountEvent::Deposited { cents: 1 })]).await.unwrap();
}

/// Its first event may say what all before it came to.
#[derive(Debug, Default, Aggregate)]
#[aggregate(id = LedgerId)]
struct Ledger {
    cents: i64,
}

#[derive(Key, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
struct LedgerId(String);

#[derive(Event, Serialize, Deserialize)]
#[event(category = "ledger", id = LedgerId)]
enum LedgerEvent {
    Booked { cents: i64 },
    Closed { balance: i64 },
}

impl Decider for Ledger {
    type Event = LedgerEvent;
    type Rejection = std::convert::Infallible;

    fn evolve(&mut self, event: &LedgerEvent) {
        match event {
            LedgerEvent::Booked { cents } => self.cents += cents,
            LedgerEvent::Closed { balance } => self.cents = *balance,
        }
    }
}

struct Book(i64);
struct CloseBooks;

impl Handles<Book> for Ledger {
    type Reply = i64;
    fn decide(&self, command: &Book, _: &Context<Self>) -> Decided<Self, Book> {
        Ok((LedgerEvent::Booked { cents: command.0 }, self.cents + command.0).into())
    }
}

impl Handles<CloseBooks> for Ledger {
    type Reply = i64;
    fn decide(&self, _: &CloseBooks, _: &Context<Self>) -> Decided<Self, CloseBooks> {
        Ok((LedgerEvent::Closed { balance: self.cents }, self.cents).into())
    }
}

async fn ledger() -> (TestDatabase, App) {
    let database = database().await;
    let app = App::builder(database.db()).aggregate::<Ledger>().start().await.unwrap();
    (database, app)
}

#[tokio::test]
async fn a_state_is_folded_from_the_summary_that_closed_the_books() {
    let (_database, app) = ledger().await;
    let id = LedgerId("2025".into());
    for _ in 0..4 {
        app.execute(&id, Book(10)).await.unwrap();
    }
    let closed = app.execute(&id, CloseBooks).await.unwrap();
    app.execute(&id, Book(2)).await.unwrap();
    assert!(app.truncate_to_summary(&id, closed.version, "books closed").await.unwrap());
    let loaded = app.load::<Ledger>(&id).await.unwrap();
    assert_eq!((loaded.state.cents, loaded.version), (42, 6));
    assert_eq!(app.execute(&id, Book(3)).await.unwrap().reply, 45);
    assert_eq!(app.load_at_version::<Ledger>(&id, 5).await.unwrap().state.cents, 40);
    let before = app.load_at_version::<Ledger>(&id, 4).await.unwrap_err();
    assert_eq!(before.kind(), ErrorKind::Truncated);
    let past = std::time::SystemTime::UNIX_EPOCH;
    let before = app.load_at_time::<Ledger>(&id, past).await.unwrap_err();
    assert_eq!(before.kind(), ErrorKind::Truncated, "{before}");
}

#[tokio::test]
async fn in_a_transaction_a_mark_counts_with_what_else_is_in_it() {
    let (database, app) = ledger().await;
    let id = LedgerId("2025".into());
    app.execute(&id, Book(10)).await.unwrap();
    // The books are closed and cut in one transaction, by either driver's reads.
    let mut tx = database.pool().begin().await.unwrap();
    let closed = app.execute(&id, CloseBooks).within(&mut tx).await.unwrap();
    app.truncate_to_summary(&id, closed.version, "closed").within(&mut tx).await.unwrap();
    assert_eq!(app.execute(&id, Book(1)).within(&mut tx).await.unwrap().reply, 11);
    assert_eq!(app.load::<Ledger>(&id).await.unwrap().version, 1, "not yet");
    tx.commit().await.unwrap();
    assert_eq!(app.load::<Ledger>(&id).await.unwrap().state.cents, 11);
}

#[tokio::test]
async fn a_repeated_command_gets_its_first_reply_whatever_has_become_of_its_stream() {
    let (_database, app) = bench().await;
    let (ada, command, id) = (account("ada"), Deposit(5), Uuid::now_v7());
    deposits(&app, 2).await;
    let first = app.execute(&ada, command.clone()).command_id(id).await.unwrap();
    let again = async || {
        let again = app.execute(&ada, command.clone()).command_id(id).await.unwrap();
        assert!(again.repeated);
        assert_eq!((again.reply, again.version, again.token), (7, 3, first.token));
        kind(app.execute(&ada, command.clone()).command_id(Uuid::now_v7()).await)
    };
    app.archive(&ada, "x").await.unwrap();
    assert_eq!(again().await, ErrorKind::Archived);
    app.truncate_before(&ada, 2, "x").await.unwrap();
    assert_eq!(again().await, ErrorKind::Truncated);
    app.tombstone(&ada, "x").await.unwrap();
    assert_eq!(again().await, ErrorKind::Tombstoned);
    assert_eq!(app.load::<Account>(&ada).await.unwrap_err().kind(), ErrorKind::Tombstoned);
    assert_eq!(kind(app.execute(&ada, Withdraw(1)).await), ErrorKind::Tombstoned);
}
