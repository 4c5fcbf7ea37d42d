//! Commands: what they store, what they answer, and what stops them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use foldlog::prelude::*;
use foldlog::{CommandOf, Encoded, Error, ErrorKind, Identifies, Request, StreamEvents};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::bank::{
    Account, AccountEvent, AccountId, Deposit, Look, Peek, Short, Withdraw, account, bench, open,
    stored,
};

#[tokio::test]
async fn a_command_becomes_events_and_answers_its_reply() {
    let (database, app) = bench().await;
    let ada = account("ada");
    let first = app.execute(&ada, Deposit(900)).await.unwrap();
    let second = app.execute(&ada, Withdraw(500)).await.unwrap();
    assert_eq!((first.reply, first.version, first.repeated), (900, 1, false));
    assert_eq!((second.reply, second.version, second.repeated), (400, 2, false));
    assert!(second.token.position() > first.token.position());

    let loaded = app.load::<Account>(&ada).await.unwrap();
    assert_eq!(loaded.state, Account { cents: 400, events: 2 });
    assert_eq!((loaded.version, loaded.token), (2, second.token));
    assert_eq!(loaded.stream().as_str(), "account-ada");
    assert_eq!(stored(&database).await, 2);
}

#[tokio::test]
async fn a_rejected_command_stores_nothing() {
    let (database, app) = bench().await;
    let error = app.execute(&account("ada"), Withdraw(5)).await.unwrap_err();
    assert!(matches!(&error, ExecuteError::Rejected(Short { missing: 5 })), "{error:?}");
    assert_eq!(error.to_string(), "5 cents short");
    assert_eq!(stored(&database).await, 0);
    assert_eq!(app.load::<Account>(&account("ada")).await.unwrap().version, 0);
}

#[tokio::test]
async fn a_decision_without_events_writes_nothing_and_answers_the_streams_token() {
    let (database, app) = bench().await;
    let ada = account("ada");
    let deposited = app.execute(&ada, Deposit(7)).await.unwrap();
    let other = app.execute(&account("bob"), Deposit(1)).await.unwrap();
    assert!(other.token.position() > deposited.token.position());

    let peeked = app.execute(&ada, Peek).await.unwrap();
    assert_eq!((peeked.reply, peeked.version, peeked.repeated), (7, 1, false));
    assert_eq!(peeked.token, deposited.token);
    assert_eq!(stored(&database).await, 2);
    let receipts: i64 = sqlx::query_scalar("select count(*) from foldlog.receipt")
        .fetch_one(database.pool())
        .await
        .unwrap();
    assert_eq!(receipts, 0);
}

#[tokio::test]
async fn a_long_stream_is_folded_whole() {
    let (_database, app) = bench().await;
    let ada = account("ada");
    for _ in 0..3 {
        let many = vec![AccountEvent::Deposited { cents: 1 }; 900];
        app.append([any(&ada, many)]).await.unwrap();
    }
    let loaded = app.load::<Account>(&ada).await.unwrap();
    assert_eq!(loaded.state, Account { cents: 2_700, events: 2_700 });
    assert_eq!(app.execute(&ada, Deposit(1)).await.unwrap().version, 2_701);
}

#[tokio::test]
async fn an_aggregate_that_is_not_registered_names_the_call_to_add() {
    let database = crate::bank::database().await;
    let app = App::builder(database.db()).start().await.unwrap();
    let error = app.execute(&account("ada"), Deposit(1)).await.unwrap_err();
    let ExecuteError::Store(error) = error else { panic!("{error:?}") };
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains(".aggregate::<main::bank::Account>()"), "{error}");
    let error = app.load::<Account>(&account("ada")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(stored(&database).await, 0);
}

#[tokio::test]
async fn tenants_are_apart() {
    let (_database, app) = bench().await;
    let (red, blue) = (Tenant::new("red").unwrap(), Tenant::new("blue").unwrap());
    let (red, blue) = (app.tenant(red), app.tenant(blue));
    let ada = account("ada");
    let key = uuid::Uuid::from_u128(1);
    // Neither streams nor command ids meet.
    assert_eq!(red.execute(&ada, Deposit(1)).command_id(key).await.unwrap().reply, 1);
    let deposited = blue.execute(&ada, Deposit(20)).command_id(key).await.unwrap();
    assert_eq!((deposited.reply, deposited.repeated), (20, false));
    assert_eq!(app.execute(&ada, Deposit(300)).await.unwrap().reply, 300);
    assert_eq!(red.load::<Account>(&ada).await.unwrap().state.cents, 1);
    assert_eq!(blue.execute(&ada, Withdraw(20)).await.unwrap().version, 2);
    let error = red.execute(&ada, Withdraw(20)).await.unwrap_err();
    assert!(matches!(error, ExecuteError::Rejected(Short { missing: 19 })));
}

#[tokio::test]
async fn metadata_is_recorded_beside_each_event() {
    let (_database, app) = bench().await;
    let ada = account("ada");
    let metadata = Metadata::new().correlation("visit 7").with("desk", 3);
    let done = app.execute(&ada, Deposit(1)).metadata(metadata.clone());
    done.retry(Retry::never()).await.unwrap();
    assert_eq!(recorded(&app, &ada).await, [metadata]);
}

/// The metadata of the events of an account.
async fn recorded(app: &App, account: &AccountId) -> Vec<Metadata> {
    let loaded = app.load::<Account>(account).await.unwrap();
    let page = app.store().read_stream(loaded.stream(), 0, 10).await.unwrap();
    let events = page.events.iter().map(|raw| raw.typed::<AccountEvent>().unwrap());
    events.map(|event| event.metadata).collect()
}

#[tokio::test]
async fn a_command_with_an_id_is_the_cause_of_its_events_unless_another_is_named() {
    let (_database, app) = bench().await;
    let (ada, one, two) = (account("ada"), Uuid::from_u128(1), Uuid::from_u128(2));
    let visit = Metadata::new().correlation("visit 7");
    let caused = visit.clone().causation("event 5");
    app.execute(&ada, Deposit(1)).metadata(visit.clone()).command_id(one).await.unwrap();
    app.execute(&ada, Deposit(1)).command_id(two).metadata(caused.clone()).await.unwrap();
    app.execute(&ada, Deposit(1)).metadata(visit.clone()).await.unwrap();
    // A repetition sent with other metadata is the same command, and records nothing.
    assert!(app.execute(&ada, Deposit(1)).command_id(one).await.unwrap().repeated);
    let by_one = visit.clone().causation(one.to_string());
    assert_eq!(recorded(&app, &ada).await, [by_one, caused, visit]);
}

#[tokio::test]
async fn a_decision_sees_what_is_recorded_and_the_time_of_the_apps_clock() {
    let database = crate::bank::database().await;
    let minutes = Arc::new(AtomicU64::new(0));
    let clock = {
        let minutes = Arc::clone(&minutes);
        move || SystemTime::UNIX_EPOCH + Duration::from_secs(60 * minutes.load(Ordering::SeqCst))
    };
    let app = App::builder(database.db()).clock(clock).aggregate::<Account>();
    let app = app.start().await.unwrap();
    let (ada, key) = (account("ada"), Uuid::from_u128(1));
    let visit = Metadata::new().correlation("visit 7");
    let seen = app.execute(&ada, Look).metadata(visit.clone()).await.unwrap().reply;
    assert_eq!(seen, (None, visit.clone(), SystemTime::UNIX_EPOCH));
    minutes.store(5, Ordering::SeqCst);
    let mut tx = database.pool().begin().await.unwrap();
    let look = app.execute(&ada, Look).metadata(visit.clone()).within(&mut tx).command_id(key);
    let five = SystemTime::UNIX_EPOCH + Duration::from_secs(300);
    let by_key = visit.causation(key.to_string());
    assert_eq!(look.await.unwrap().reply, (Some(key), by_key, five));
    // Tenants share the clock; without one it is the system's.
    let red = app.tenant(Tenant::new("red").unwrap());
    assert_eq!(red.execute(&ada, Look).await.unwrap().reply.2, five);
    let other = open(database.db()).await.execute(&ada, Look).await.unwrap().reply.2;
    assert!(other.elapsed().unwrap() < Duration::from_secs(60));
}

#[tokio::test]
async fn an_event_that_cant_be_read_is_an_error_with_its_place() {
    let (_database, app) = bench().await;
    let ada = account("ada");
    let name = StreamName::of::<AccountEvent>(&Tenant::default(), &ada).unwrap();
    let payload = serde_json::value::to_raw_value("secret").unwrap();
    let event = Encoded { kind: "Vanished", payload, tags: vec![] };
    let request = Request::new([StreamEvents::raw(name, Expected::Any, vec![event])]).unwrap();
    app.store().append(&request).await.unwrap();

    let error = app.execute(&ada, Deposit(1)).await.unwrap_err();
    let ExecuteError::Store(error) = error else { panic!("{error:?}") };
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert!(error.to_string().contains("event 1 of stream account-ada (type Vanished"), "{error}");
    assert!(!format!("{error:?}").contains("secret"));
    assert_eq!(app.load::<Account>(&ada).await.unwrap_err().kind(), ErrorKind::Decode);
}

#[tokio::test]
async fn an_id_that_cant_name_a_stream_is_refused() {
    let (database, app) = bench().await;
    for name in ["", "a\0b", &"k".repeat(300)] {
        let error = app.execute(&account(name), Deposit(1)).await.unwrap_err();
        let ExecuteError::Store(error) = error else { panic!("{error:?}") };
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    }
    assert_eq!(stored(&database).await, 0);
}

/// A second aggregate over the accounts' streams: it has no id of its own.
#[derive(Debug, Default)]
struct Limits {
    deposits: u64,
}

impl Decider for Limits {
    type Event = AccountEvent;
    type Rejection = Short;

    fn evolve(&mut self, event: &AccountEvent) {
        self.deposits += u64::from(matches!(event, AccountEvent::Deposited { .. }));
    }
}

impl Handles<Deposit> for Limits {
    type Reply = u64;

    fn decide(&self, command: &Deposit, cx: &Context<Self>) -> Decided<Self, Deposit> {
        if self.deposits >= 2 {
            return Err(Short { missing: 0 });
        }
        assert_eq!(cx.id(), &account("ada"));
        Ok((AccountEvent::Deposited { cents: command.0 }, self.deposits + 1).into())
    }
}

#[tokio::test]
async fn a_second_aggregate_over_the_same_streams_is_named_by_hand() {
    let database = crate::bank::database().await;
    let builder = App::builder(database.db()).aggregate::<Account>().aggregate::<Limits>();
    let app = builder.start().await.unwrap();
    let ada = account("ada");
    app.execute(&ada, Deposit(5)).await.unwrap();
    let limits = app.of::<Limits>();
    assert_eq!(limits.execute(&ada, Deposit(5)).await.unwrap().reply, 2);
    let error = limits.execute(&ada, Deposit(5)).await.unwrap_err();
    assert!(matches!(error, ExecuteError::Rejected(_)));
    assert_eq!(limits.load(&ada).await.unwrap().state.deposits, 2);
    assert_eq!(app.load::<Account>(&ada).await.unwrap().state.cents, 10);
}

#[derive(Event, Serialize, Deserialize)]
#[event(category = "account", id = AccountId)]
enum Impostor {
    Robbed,
}

#[derive(Default)]
struct Robbery;

impl Decider for Robbery {
    type Event = Impostor;
    type Rejection = Error;
    fn evolve(&mut self, _: &Impostor) {}
}

#[tokio::test]
async fn two_event_types_of_one_category_are_refused_at_the_start() {
    let database = crate::bank::database().await;
    let builder = App::builder(database.db()).aggregate::<Account>().aggregate::<Robbery>();
    let error = builder.start().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("category account"), "{error}");
    assert!(matches!(Impostor::Robbed, Impostor::Robbed));
}

/// Generic code over any aggregate and command.
async fn touch<A: Decider, C: CommandOf<A>>(
    app: &App,
    id: &impl Identifies<A>,
    command: C,
) -> Result<u64, ExecuteError<A::Rejection>> {
    Ok(app.execute(id, command).await?.version)
}

#[tokio::test]
async fn a_command_owns_what_it_needs() {
    let (database, app) = bench().await;
    let ada = account("ada");
    let spawned = tokio::spawn(app.execute(&ada, Deposit(1)).into_future());
    assert_eq!(spawned.await.unwrap().unwrap().reply, 1);
    let raced = tokio::time::timeout(Duration::from_secs(60), app.execute(&ada, Deposit(1)));
    assert_eq!(raced.await.unwrap().unwrap().reply, 2);
    assert_eq!(touch(&app, &ada, Deposit(1)).await.unwrap(), 3);
    let as_any: Result<_, Box<dyn std::error::Error + Send + Sync>> =
        app.execute(&ada, Withdraw(50)).await.map_err(Into::into);
    assert_eq!(as_any.unwrap_err().to_string(), "47 cents short");
    // Another process sees all of it.
    let other = open(database.db()).await;
    assert_eq!(other.load::<Account>(&ada).await.unwrap().version, 3);
}
