//! Group append: many tasks, few commits, and each append ends as if it were alone.

mod cuts;
mod held;
mod losses;
mod model;
mod poison;
mod pressure;
mod shutdowns;
mod traffic;

use std::collections::BTreeMap;
use std::ops::Deref;

use foldlog_core::Expected::{self, Any, Exact, NoStream};
use foldlog_core::{Error, ErrorKind, Position, RawEvent, Source as _};
use foldlog_eventstore::{AppendError, Appended, EventStore, Request, StreamEvents};
use foldlog_testkit::{TestDatabase, wait_until};
use futures_util::future::join_all;
use sqlx::PgConnection;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::support::{
    Bench, PATIENCE, conflict, failure, follow, name, noted, number, request, run,
};

const SESSIONS: &str = "select count(*) from pg_stat_activity
    where datname = current_database() and application_name = 'foldlog append'";
const COMMITS: &str = "select count(distinct xmin::text) from foldlog.event";

type Appending = JoinHandle<Result<Appended, AppendError>>;

/// A store whose appends are grouped.
struct Grouped<D = TestDatabase> {
    bench: Bench<D>,
    shutdown: CancellationToken,
    running: JoinHandle<Result<(), Error>>,
}

impl<D> Deref for Grouped<D> {
    type Target = Bench<D>;

    fn deref(&self) -> &Bench<D> {
        &self.bench
    }
}

/// Runs the store, and waits until it appends in groups.
async fn opened(store: &EventStore) -> (CancellationToken, JoinHandle<Result<(), Error>>) {
    let shutdown = CancellationToken::new();
    let running = tokio::spawn({
        let (store, shutdown) = (store.clone(), shutdown.clone());
        async move { store.run(shutdown).await }
    });
    let mut session = store.db().session("foldlog test").await.unwrap();
    wait_until(PATIENCE, async || {
        // It leaves no event, and once there is a session of the group's it went through it.
        let empty = StreamEvents::raw(name("note-empty"), Any, Vec::new());
        store.append(&request([empty])).await.unwrap();
        number(&mut session, SESSIONS).await > 0
    })
    .await;
    (shutdown, running)
}

impl Grouped {
    async fn new() -> Self {
        Self::on(Bench::new().await).await
    }
}

impl<D> Grouped<D> {
    async fn on(bench: Bench<D>) -> Self {
        let (shutdown, running) = opened(&bench.store).await;
        Self { bench, shutdown, running }
    }

    /// Lets both lines begin a call that goes no further until the session commits: what is asked for
    /// meanwhile gathers behind it.
    async fn plugged(&self) -> PgConnection {
        let mut holder = self.begun().await;
        run(&mut holder, "lock table foldlog.stream in access exclusive mode").await;
        for n in 0..16 {
            let store = self.store.clone();
            let empty = StreamEvents::raw(name(&format!("note-plug{n}")), Any, Vec::new());
            tokio::spawn(async move { store.append(&request([empty])).await });
        }
        self.waiting(2).await;
        holder
    }

    /// Sends them at once and in order, on a runtime of one thread, and lets them gather.
    async fn gathered(&self, requests: impl IntoIterator<Item = Request>) -> Vec<Gathered> {
        let mut holder = self.plugged().await;
        let appending: Vec<_> = requests.into_iter().map(|r| self.appending(r)).collect();
        // Each task has had its turn when the server has answered.
        self.waiting(2).await;
        run(&mut holder, "commit").await;
        let results = join_all(appending).await;
        results.into_iter().map(|result| Gathered(result.unwrap())).collect()
    }

    async fn sessions(&self) -> i64 {
        number(&mut self.session().await, SESSIONS).await
    }

    async fn commits(&self) -> i64 {
        number(&mut self.session().await, COMMITS).await
    }

    async fn events(&self) -> Vec<RawEvent> {
        let mut reader = self.store.reader().await.unwrap();
        follow(&mut *reader, &mut Position::START.clone()).await
    }

    /// Every event by the number in it: none twice, versions without a gap, positions that rise with
    /// them.
    async fn numbers(&self) -> BTreeMap<u32, (String, u64)> {
        let mut numbers = BTreeMap::new();
        let mut ends: BTreeMap<String, (u64, Position)> = BTreeMap::new();
        for event in self.events().await {
            let stream = event.stream.as_str().to_owned();
            let (version, position) = ends.entry(stream.clone()).or_default();
            assert_eq!(event.version, *version + 1, "{stream}");
            assert!(event.position() > *position, "{stream}");
            (*version, *position) = (event.version, event.position());
            let n = event.payload.get().parse().unwrap();
            let before = numbers.insert(n, (stream, event.version));
            assert!(before.is_none(), "{n} is there twice");
        }
        numbers
    }
}

/// What one of several came to.
#[derive(Debug)]
struct Gathered(Result<Appended, AppendError>);

impl Gathered {
    #[track_caller]
    fn version(&self) -> u64 {
        let Ok(appended) = &self.0 else { panic!("{self:?}") };
        assert!(!appended.repeated, "{self:?}");
        appended.streams[0].version
    }

    #[track_caller]
    fn repeated(&self) -> &Appended {
        let Ok(appended) = &self.0 else { panic!("{self:?}") };
        assert!(appended.repeated, "{self:?}");
        appended
    }
}

fn id(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

fn one(stream: &str, expected: Expected, n: u32) -> Request {
    request([noted(stream, expected, n)])
}

#[tokio::test]
async fn what_gathers_behind_a_call_shares_the_next_commit() {
    let group = Grouped::new().await;
    let all = (0..400).map(|n| one(&format!("note-{n}"), NoStream, n));
    for gathered in group.gathered(all).await {
        assert_eq!(gathered.version(), 1);
    }
    assert_eq!(group.numbers().await.len(), 400);
    // One for each line, and a few where both would make streams of one bucket.
    let commits = group.commits().await;
    assert!(commits < 20, "{commits} commits");
}

#[tokio::test]
async fn a_lonely_append_is_sent_at_once_and_says_the_same_as_on_the_pool() {
    let group = Grouped::new().await;
    for n in 1..=20 {
        let appended = group.append("note-a", Exact(n - 1), 1).await;
        assert_eq!((appended.streams[0].version, appended.repeated), (n, false));
        assert_eq!(Some(appended.token.position()), appended.streams[0].position);
    }
    assert_eq!(group.commits().await, 20);
}

#[tokio::test]
async fn each_request_of_a_group_ends_for_itself() {
    let group = Grouped::new().await;
    group.append("note-a", NoStream, 1).await;
    let known = one("note-b", Any, 2).id(id(1)).reply(raw("\"kept\""));
    let first = group.store.append(&known).await.unwrap();
    let exact = one("note-c", NoStream, 3);
    group.store.append(&exact).await.unwrap();
    let both = |n| {
        let parts = [noted("note-free", NoStream, n), noted("note-a", Exact(7), n + 1)];
        request(parts)
    };
    let results = group
        .gathered([
            one("note-d", NoStream, 4),
            one("note-a", NoStream, 5),
            known.clone(),
            one("note-e", Any, 6).id(id(1)),
            one("note-f", Any, 7),
            exact.clone(),
            both(8),
            one("note-missing", Expected::Exists, 10),
            one("note-f", Any, 11),
        ])
        .await;
    assert_eq!(results[0].version(), 1);
    let again = results[2].repeated();
    assert_eq!(again.token, first.token);
    assert_eq!(again.reply.as_ref().unwrap().get(), "\"kept\"");
    assert_eq!(results[4].version(), 1);
    assert_eq!(results[5].repeated().streams[0].version, 1);
    assert_eq!(results[8].version(), 2);
    let mut refused: Vec<_> = results.into_iter().map(|gathered| gathered.0).collect();
    let mut take = |n: usize| std::mem::replace(&mut refused[n], Err(nothing()));
    assert_eq!(conflict(take(1)), ("note-a".into(), NoStream, 1));
    assert_eq!(failure(take(3)).kind(), ErrorKind::IdReused);
    assert_eq!(conflict(take(6)), ("note-a".into(), Exact(7), 1));
    assert_eq!(conflict(take(7)), ("note-missing".into(), Expected::Exists, 0));
    let numbers: Vec<_> = group.numbers().await.into_keys().collect();
    assert_eq!(numbers, [1, 2, 3, 4, 7, 11]);
}

fn raw(json: &str) -> Box<serde_json::value::RawValue> {
    serde_json::value::RawValue::from_string(json.to_owned()).unwrap()
}

fn nothing() -> AppendError {
    Error::new(ErrorKind::Internal, "it was taken").into()
}

#[tokio::test]
async fn the_same_request_asked_for_many_times_at_once_is_made_once() {
    let group = Grouped::new().await;
    let by_id = one("note-a", Any, 1).id(id(1));
    let by_event = one("note-b", NoStream, 2);
    let all = (0..8).flat_map(|_| [by_id.clone(), by_event.clone()]);
    let results = group.gathered(all).await;
    let first = |gathered: &&Gathered| !gathered.0.as_ref().unwrap().repeated;
    assert_eq!(results.iter().filter(first).count(), 2);
    assert_eq!(group.numbers().await.len(), 2);
}

#[tokio::test]
async fn of_racers_for_a_version_one_wins_each_time() {
    let group = Grouped::new().await;
    for version in 0..12 {
        let racers = (0..16).map(|n| one("note-a", Exact(version), n));
        // Half of the races begin together, the others as they come.
        let results = if version % 2 == 0 {
            group.gathered(racers.collect::<Vec<_>>()).await
        } else {
            let racing = join_all(racers.map(|racer| group.appending(racer)));
            racing.await.into_iter().map(|result| Gathered(result.unwrap())).collect()
        };
        let mut won = 0;
        for gathered in results {
            match gathered.0 {
                Ok(appended) => {
                    assert_eq!(appended.streams[0].version, version + 1);
                    won += 1;
                }
                lost => assert_eq!(conflict(lost), ("note-a".into(), Exact(version), version + 1)),
            }
        }
        assert_eq!(won, 1, "at version {version}");
    }
    assert_eq!(group.stream("note-a").await.len(), 12);
}

#[tokio::test]
async fn dependent_requests_sent_in_order_all_succeed() {
    let group = Grouped::new().await;
    let chain = (0..30).map(|version| one("note-chain", Exact(version), 1));
    for (gathered, version) in group.gathered(chain).await.iter().zip(1..) {
        assert_eq!(gathered.version(), version);
    }
    // A new one that others join, and one that must see all of them.
    let mixed = [
        one("note-mixed", NoStream, 1),
        one("note-mixed", Any, 2),
        one("note-mixed", Any, 3),
        request([noted("note-mixed", Exact(3), 4), noted("note-other", NoStream, 5)]),
        one("note-other", Expected::Exists, 6),
        one("note-mixed", Expected::Exists, 7),
        one("note-other", Exact(2), 8),
    ];
    let results = group.gathered(mixed).await;
    let versions: Vec<_> = results.iter().map(Gathered::version).collect();
    assert_eq!(versions, [1, 2, 3, 4, 2, 5, 3]);
    let payloads: Vec<_> = group.stream("note-mixed").await.into_iter().map(|e| e.1).collect();
    assert_eq!(payloads, ["1", "2", "3", "4", "7"]);
}
