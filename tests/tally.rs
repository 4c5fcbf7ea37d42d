//! A tally with snapshots and, where an app keeps it, in the cache; and who looks behind both.

use std::cell::Cell;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use foldlog::prelude::*;
use foldlog::{AggregateCache, Identifies};
use foldlog_testkit::{TestDatabase, wait_until};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event as TracingEvent, Level, Metadata as TracingMetadata, Subscriber};

/// How many events come between two snapshots.
pub(crate) const EVERY: u64 = 10;
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

thread_local! {
    /// How many events this test's thread has folded.
    static FOLDED: Cell<u64> = const { Cell::new(0) };
}

#[derive(Key, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct TallyId(pub(crate) String);

pub(crate) fn tally(name: &str) -> TallyId {
    TallyId(name.to_owned())
}

#[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[event(category = "tally", id = TallyId)]
pub(crate) enum TallyEvent {
    Added { n: i64 },
}

/// It depends on the order of the events, so that one left out or taken twice shows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema, Aggregate)]
#[aggregate(id = TallyId, snapshot_every = 10)]
pub(crate) struct Tally {
    pub(crate) sum: i64,
    pub(crate) mix: i64,
    pub(crate) events: u64,
}

#[derive(Debug, PartialEq, thiserror::Error)]
#[error("only {sum} there")]
pub(crate) struct TooLow {
    pub(crate) sum: i64,
}

impl Decider for Tally {
    type Event = TallyEvent;
    type Rejection = TooLow;

    fn evolve(&mut self, event: &TallyEvent) {
        let TallyEvent::Added { n } = event;
        FOLDED.set(FOLDED.get() + 1);
        self.sum += n;
        self.mix = self.mix.wrapping_mul(31).wrapping_add(*n);
        self.events += 1;
    }
}

/// Adds a number, so many times; answers the sum.
pub(crate) struct Add(pub(crate) i64, pub(crate) usize);

impl Handles<Add> for Tally {
    type Reply = i64;

    fn decide(&self, command: &Add, _: &Context<Self>) -> Decided<Self, Add> {
        let events = vec![TallyEvent::Added { n: command.0 }; command.1];
        Ok(Decision::events(events).reply(self.sum + command.0 * command.1 as i64))
    }
}

/// Answers the sum without an event; refuses if it is lower.
pub(crate) struct AtLeast(pub(crate) i64);

impl Handles<AtLeast> for Tally {
    type Reply = i64;

    fn decide(&self, command: &AtLeast, _: &Context<Self>) -> Decided<Self, AtLeast> {
        if self.sum < command.0 {
            return Err(TooLow { sum: self.sum });
        }
        Ok(Decision::none().reply(self.sum))
    }
}

/// How many events are folded meanwhile, on this thread.
pub(crate) async fn folds<T>(future: impl IntoFuture<Output = T>) -> (T, u64) {
    let before = FOLDED.get();
    let output = future.await;
    (output, FOLDED.get() - before)
}

/// An app that knows the tally.
pub(crate) async fn open(database: &TestDatabase) -> App {
    App::builder(database.db()).aggregate::<Tally>().start().await.unwrap()
}

/// The same with a cache.
pub(crate) async fn open_cached(database: &TestDatabase) -> App {
    let cache = AggregateCache::entries(1_000).keep::<Tally>();
    let builder = App::builder(database.db()).aggregate::<Tally>().aggregate_cache(cache);
    let app = builder.start().await.unwrap();
    // Nothing is kept of what comes before the store's own sessions are there to be lost.
    wait_until(PATIENCE, async || app.store().sessions_lost().is_some()).await;
    app
}

/// The fold of all events, with no snapshot and no cache in its way.
pub(crate) async fn whole(app: &App, id: &TallyId) -> (Tally, u64) {
    let stream = StreamName::of::<TallyEvent>(&Tenant::default(), id).unwrap();
    let (mut state, mut version) = (Tally::default(), 0);
    loop {
        let page = app.store().read_stream(&stream, version, 1_000).await.unwrap();
        for raw in &page.events {
            version += 1;
            assert_eq!(raw.version, version);
            state.evolve(&raw.typed::<TallyEvent>().unwrap().event);
        }
        if !page.more {
            return (state, version);
        }
    }
}

/// The version of the snapshot of each stream, by name.
pub(crate) async fn snapshots(database: &TestDatabase) -> Vec<(String, i64)> {
    sqlx::query_as(
        "select s.name, k.version from foldlog.snapshot k join foldlog.stream s on s.id = k.stream_id
        order by s.name, k.version",
    )
    .fetch_all(database.pool())
    .await
    .unwrap()
}

/// Waits until the one snapshot there is has this version.
pub(crate) async fn stored_at(database: &TestDatabase, version: i64) {
    wait_until(PATIENCE, async || {
        matches!(snapshots(database).await.as_slice(), [(_, stored)] if *stored == version)
    })
    .await;
}

/// Changes snapshots behind the back of everybody.
pub(crate) async fn tamper(database: &TestDatabase, set: &'static str) {
    let sql = format!("update foldlog.snapshot set {set}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(database.pool()).await.unwrap();
}

/// A snapshot that says it came to a sum of a million: whoever goes on from it says so.
pub(crate) const FORGED: &str = r#"state = '{"sum":1000000,"mix":0,"events":0}'"#;

/// Generic over the aggregate, so that nothing is inferred from the id alone.
pub(crate) async fn load<A: Decider>(app: &App, id: &impl Identifies<A>) -> A {
    app.load::<A>(id).await.unwrap().state
}

/// What is warned of on this thread.
#[derive(Clone, Debug, Default)]
pub(crate) struct Warnings(Arc<Mutex<Vec<String>>>);

impl Warnings {
    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl Subscriber for Warnings {
    fn enabled(&self, metadata: &TracingMetadata<'_>) -> bool {
        *metadata.level() == Level::WARN
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}

    fn event(&self, event: &TracingEvent<'_>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        self.0.lock().unwrap().push(text.0);
    }
}

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.push_str(&format!("{field}={value:?} "));
    }
}
