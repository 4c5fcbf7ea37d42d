//! A small bank, an App over a database of its own, and a command that waits for the test.

use std::sync::{Mutex, mpsc};
use std::time::SystemTime;

use foldlog::prelude::*;
use foldlog_testkit::{Template, TestDatabase, template};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc as channel;
use uuid::Uuid;

#[derive(Key, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct AccountId(pub(crate) String);

pub(crate) fn account(name: &str) -> AccountId {
    AccountId(name.to_owned())
}

#[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[event(category = "account", id = AccountId)]
pub(crate) enum AccountEvent {
    Deposited { cents: i64 },
    Withdrawn { cents: i64 },
}

#[derive(Debug, Default, PartialEq, Aggregate)]
#[aggregate(id = AccountId)]
pub(crate) struct Account {
    pub(crate) cents: i64,
    /// How many events were taken in, so that one taken in twice shows.
    pub(crate) events: u64,
}

#[derive(Debug, PartialEq, thiserror::Error)]
#[error("{missing} cents short")]
pub(crate) struct Short {
    pub(crate) missing: i64,
}

impl Decider for Account {
    type Event = AccountEvent;
    type Rejection = Short;

    fn evolve(&mut self, event: &AccountEvent) {
        self.events += 1;
        match event {
            AccountEvent::Deposited { cents } => self.cents += cents,
            AccountEvent::Withdrawn { cents } => self.cents -= cents,
        }
    }
}

/// Answers the balance.
#[derive(Clone, Debug)]
pub(crate) struct Deposit(pub(crate) i64);

impl Handles<Deposit> for Account {
    type Reply = i64;

    fn decide(&self, command: &Deposit, _: &Context<Self>) -> Decided<Self, Deposit> {
        Ok((AccountEvent::Deposited { cents: command.0 }, self.cents + command.0).into())
    }
}

/// Answers the balance.
#[derive(Clone, Debug)]
pub(crate) struct Withdraw(pub(crate) i64);

impl Handles<Withdraw> for Account {
    type Reply = i64;

    fn decide(&self, command: &Withdraw, _: &Context<Self>) -> Decided<Self, Withdraw> {
        let left = self.cents - command.0;
        if left < 0 {
            return Err(Short { missing: -left });
        }
        Ok((AccountEvent::Withdrawn { cents: command.0 }, left).into())
    }
}

/// Answers the balance, without an event; an empty account refuses.
pub(crate) struct Peek;

impl Handles<Peek> for Account {
    type Reply = i64;

    fn decide(&self, _: &Peek, _: &Context<Self>) -> Decided<Self, Peek> {
        if self.cents == 0 {
            return Err(Short { missing: 1 });
        }
        Ok(Decision::none().reply(self.cents))
    }
}

/// Answers what the context says besides the state, without an event.
pub(crate) struct Look;

impl Handles<Look> for Account {
    type Reply = (Option<Uuid>, Metadata, SystemTime);

    fn decide(&self, _: &Look, cx: &Context<Self>) -> Decided<Self, Look> {
        Ok(Decision::none().reply((cx.command_id(), cx.metadata().clone(), cx.now())))
    }
}

/// A deposit that reports each decision, and goes on when the test says so.
pub(crate) struct Paused {
    cents: i64,
    asked: channel::UnboundedSender<Asked>,
    go: Mutex<mpsc::Receiver<()>>,
}

/// What a decision saw.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) version: u64,
    pub(crate) events: u64,
    pub(crate) now: SystemTime,
}

/// The test's side of a [`Paused`] command.
pub(crate) struct Pauses {
    asked: channel::UnboundedReceiver<Asked>,
    go: mpsc::Sender<()>,
}

impl Paused {
    pub(crate) fn deposit(cents: i64) -> (Self, Pauses) {
        let (asked, asking) = channel::unbounded_channel();
        let (go, going) = mpsc::channel();
        (Self { cents, asked, go: Mutex::new(going) }, Pauses { asked: asking, go })
    }
}

impl Pauses {
    /// Waits until the command is being decided; it stands still then.
    pub(crate) async fn decided(&mut self) -> Asked {
        self.asked.recv().await.unwrap()
    }

    /// Lets one decision go on.
    pub(crate) fn go(&self) {
        self.go.send(()).unwrap();
    }
}

impl Handles<Paused> for Account {
    type Reply = i64;

    fn decide(&self, command: &Paused, cx: &Context<Self>) -> Decided<Self, Paused> {
        let asked = Asked { version: cx.version(), events: self.events, now: cx.now() };
        command.asked.send(asked).unwrap();
        // Such tests run on several threads; the others take over what this one was to do.
        tokio::task::block_in_place(|| command.go.lock().unwrap().recv().unwrap());
        let cents = command.cents;
        Ok((AccountEvent::Deposited { cents }, self.cents + cents).into())
    }
}

/// A database with the schema, and no app yet.
pub(crate) async fn database() -> TestDatabase {
    bank().await.database().await
}

async fn bank() -> Template {
    let sets = foldlog::EventStore::SETS;
    let content: Vec<&str> = sets.iter().flat_map(|s| s.migrations).map(|m| m.sql).collect();
    template("facade", content.concat(), async |db| {
        App::builder(db).start().await.unwrap().shutdown().await.unwrap();
    })
    .await
}

/// An app that knows the bank.
pub(crate) async fn open(db: Db) -> App {
    App::builder(db).aggregate::<Account>().start().await.unwrap()
}

/// A database of its own, and an app over it.
pub(crate) async fn bench() -> (TestDatabase, App) {
    let database = database().await;
    let app = open(database.db()).await;
    (database, app)
}

/// How many events the store holds, committed.
pub(crate) async fn stored(database: &TestDatabase) -> i64 {
    sqlx::query_scalar("select count(*) from foldlog.event")
        .fetch_one(database.pool())
        .await
        .unwrap()
}
