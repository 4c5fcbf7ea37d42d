//! Random traffic over a few boundaries, and what must be true of the log whatever came in between: each
//! append on condition had seen just the matching events of lower positions.
//!
//! Positions are the serial order. Who judges a condition holds its locks before it draws, and whoever
//! writes a matching event holds one of them from before its draw until its commit is visible.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use foldlog_core::{Encoded, Error, ErrorKind, Expected, Position, Query, RawEvent, Tag, Tenant};
use foldlog_eventstore::{AppendError, Appended, Condition, EventStore, Request, StreamEvents};
use sqlx::PgConnection;
use tokio_util::sync::CancellationToken;

use super::{on, query, tag};
use crate::support::{Bench, Note, event, name, request, run};

const TASKS: u64 = 8;
/// How many of them only add, and take their time: what is read meanwhile is not settled.
const SLOW: u64 = 2;
const SEATS: usize = 3;

/// What is decided on: one tag, either of two, both of two, a type with a tag, a type, anything.
pub(super) fn queries() -> Vec<Query> {
    let mut queries: Vec<_> = (0..SEATS).map(|n| query(&[seat(n)])).collect();
    queries.push(query(&["seat:0"]).or(query(&["seat:1"])));
    queries.push(query(&["seat:1"]).or(query(&["seat:2"])).or(query(&["seat:0", "hall:x"])));
    queries.push(query(&["hall:x", "seat:2"]));
    queries.push(Query::kinds::<Note>(["Closed"]).tagged(&tag("seat:1")));
    queries.push(Query::kinds::<Note>(["Closed"]));
    queries.push(query(&[]));
    queries
}

fn seat(n: usize) -> &'static str {
    ["seat:0", "seat:1", "seat:2"][n]
}

/// A task's part of the traffic.
struct Writer {
    rng: Rng,
    number: u64,
    stores: [EventStore; 2],
    queries: Arc<[Query]>,
    // How many matched each query, up to a settled position.
    known: HashMap<usize, (Position, usize)>,
    session: Option<PgConnection>,
    outcomes: [u32; 3],
}

impl Writer {
    fn events(&mut self, seen: Option<(usize, usize)>) -> StreamEvents {
        let kind = if self.rng.u32(..4) == 0 { "Closed" } else { "Noted" };
        let json = seen.map_or("null".into(), |(query, seen)| format!("[{query},{seen}]"));
        let mut tags: Vec<Tag> = Vec::new();
        for text in ["seat:0", "seat:1", "seat:2", "hall:x"] {
            if self.rng.u32(..4) == 0 {
                tags.push(tag(text));
            }
        }
        let stream = name(&format!("note-{}_{}", self.number, self.rng.u32(..4)));
        let event = Encoded { tags, ..event(kind, &json) };
        StreamEvents::raw(stream, Expected::Any, vec![event])
    }

    /// How many events match a query, from where this was known before.
    async fn read(&mut self, number: usize) -> Result<(usize, Condition), Error> {
        let (after, mut count) = self.known.get(&number).copied().unwrap_or_default();
        let take = |_: &RawEvent, _: &[usize]| {
            count += 1;
            Ok(())
        };
        let (tenant, query) = (Tenant::default(), &self.queries[number]);
        let store = &self.stores[0];
        let condition = match &mut self.session {
            Some(session) => store.read_matching_in(session, &tenant, query, after, take).await?,
            None => store.read_matching(&tenant, query, after, take).await?,
        };
        if condition.is_settled() {
            self.known.insert(number, (condition.settled(), count));
        }
        Ok((count, condition))
    }

    async fn append(&mut self, request: &Request) -> Result<Appended, AppendError> {
        let store = self.rng.choice(&self.stores).unwrap();
        match &mut self.session {
            Some(session) => store.append_in(session, request).await,
            None => store.append(request).await,
        }
    }

    /// One append, on condition or not.
    async fn step(&mut self) -> Result<(), AppendError> {
        let asked = self.rng.usize(..3 * self.queries.len());
        if asked >= self.queries.len() {
            let events = self.events(None);
            self.append(&request([events])).await?;
            return Ok(());
        }
        // Those that stop everybody are asked less often.
        let asked = if self.rng.u32(..6) > 0 { asked % 7 } else { asked };
        let (seen, condition) = self.read(asked).await?;
        if self.rng.bool() {
            tokio::time::sleep(Duration::from_millis(self.rng.u64(..20))).await;
        }
        let events = self.events(Some((asked, seen)));
        let result = self.append(&on(&condition, [events])).await;
        match &result {
            Ok(_) => self.outcomes[0] += 1,
            Err(AppendError::ConditionFailed { .. }) => {
                self.outcomes[1] += 1;
                return Ok(());
            }
            Err(_) => self.outcomes[2] += 1,
        }
        result.map(drop)
    }

    /// Up to three appends in a transaction, some of them taken back.
    async fn transaction(&mut self) -> Result<(), AppendError> {
        let db = |e| foldlog_pg::database("a transaction", e);
        let mut session = self.stores[0].db().session("boundary writer").await?;
        let begin = "begin; set local lock_timeout = '100ms'";
        sqlx::raw_sql(begin).execute(&mut session).await.map_err(db)?;
        // What it reads is not settled, and may never be.
        self.session = Some(session);
        if self.number < SLOW {
            let events = self.events(None);
            self.append(&request([events])).await?;
            self.raw("select pg_sleep(random() * 0.03); commit").await?;
            return Ok(());
        }
        for _ in 0..self.rng.u32(1..4) {
            let taken_back = self.rng.u32(..4) == 0;
            self.raw("savepoint here").await?;
            self.step().await?;
            if taken_back {
                self.raw("rollback to here").await?;
            }
            if self.rng.bool() {
                self.raw("select pg_sleep(random() * 0.01)").await?;
            }
        }
        let end = if self.rng.u32(..5) == 0 { "rollback" } else { "commit" };
        self.raw(end).await?;
        Ok(())
    }

    async fn raw(&mut self, sql: &'static str) -> Result<(), Error> {
        let session = self.session.as_mut().unwrap();
        let done = sqlx::raw_sql(sql).execute(session).await;
        done.map(drop).map_err(|e| foldlog_pg::database("a transaction", e))
    }

    async fn write(mut self, until: Instant) -> [u32; 3] {
        while Instant::now() < until {
            let result = if self.number < SLOW || self.rng.u32(..3) == 0 {
                let result = self.transaction().await;
                self.session = None;
                result
            } else {
                self.step().await
            };
            match result {
                Ok(()) | Err(AppendError::Busy { .. } | AppendError::BoundaryBusy { .. }) => {}
                Err(AppendError::Store(error))
                    if matches!(
                        error.kind(),
                        ErrorKind::Unavailable | ErrorKind::Retry | ErrorKind::Busy
                    ) => {}
                Err(error) => panic!("task {}: {error}", self.number),
            }
        }
        self.outcomes
    }
}

/// Ends sessions, so that appends are lost and repeated.
async fn cut(bench: &Bench, until: Instant) {
    let mut session = bench.session().await;
    while Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(60)).await;
        let sql = "select pg_terminate_backend(pid) from (
            select pid from pg_stat_activity where datname = current_database()
                and application_name in ('foldlog append', 'boundary writer')
            order by random() limit 1) a";
        run(&mut session, sql).await;
    }
}

/// Lets the traffic run, and answers how conditional appends ended, and what the log says against them.
async fn traffic(bench: &Bench, seed: u64, time: Duration) -> ([u32; 3], Vec<String>) {
    let shutdown = CancellationToken::new();
    let (store, token) = (bench.store.clone(), shutdown.clone());
    let running = tokio::spawn(async move { store.run(token).await });
    let alone = EventStore::open(&bench.database.db()).await.unwrap();
    let queries: Arc<[Query]> = queries().into();
    let until = Instant::now() + time;
    let tasks: Vec<_> = (0..TASKS)
        .map(|number| {
            let writer = Writer {
                rng: Rng::with_seed(seed.wrapping_add(number)),
                number,
                stores: [bench.store.clone(), alone.clone()],
                queries: queries.clone(),
                known: HashMap::new(),
                session: None,
                outcomes: [0; 3],
            };
            tokio::spawn(writer.write(until))
        })
        .collect();
    cut(bench, until).await;
    let mut outcomes = [0; 3];
    for task in tasks {
        let of_one = task.await.unwrap();
        outcomes.iter_mut().zip(of_one).for_each(|(sum, one)| *sum += one);
    }
    shutdown.cancel();
    running.await.unwrap().unwrap();
    (outcomes, findings(bench, &queries).await)
}

/// Replays the log: what was seen by each event that tells.
pub(super) async fn findings(bench: &Bench, queries: &[Query]) -> Vec<String> {
    let rows: Vec<(i64, String, String, Vec<String>)> = sqlx::query_as(
        "select e.position, y.name, e.payload::text, array(select t.tag::text from foldlog.event_tag t
            where t.position = e.position)
        from foldlog.event e join foldlog.event_type y on y.id = e.type_id order by e.position",
    )
    .fetch_all(&mut bench.session().await)
    .await
    .unwrap();
    let mut counts = vec![0_usize; queries.len()];
    let mut findings = Vec::new();
    for (position, kind, payload, tags) in rows {
        if let Some((asked, seen)) =
            serde_json::from_str::<Option<(usize, usize)>>(&payload).unwrap()
            && counts[asked] != seen
        {
            findings.push(format!(
                "{position} had seen {seen} that match query {asked}, and {} stand before it",
                counts[asked]
            ));
        }
        let tags: Vec<_> = tags.iter().map(|text| tag(text)).collect();
        for (query, count) in queries.iter().zip(&mut counts) {
            let items = query.items().unwrap();
            *count += usize::from(items.iter().any(|item| item.matches("note", &kind, &tags)));
        }
    }
    findings
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_append_on_condition_has_seen_just_what_stands_before_it() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let bench = Bench::new().await;
    let (outcomes, findings) = traffic(&bench, seed, Duration::from_secs(4)).await;
    println!("appended, overtaken, other: {outcomes:?}");
    assert!(findings.is_empty(), "seed {seed}: {findings:#?}");
    assert!(outcomes[0] > 0 && outcomes[1] > 0, "seed {seed}: {outcomes:?}");
}
