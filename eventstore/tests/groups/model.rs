//! The append function against a model of its rules: random groups of requests in one call each, of
//! which some meet streams and ids that another transaction holds.

use std::collections::{BTreeMap, BTreeSet};

use foldlog_core::Expected::Any;
use foldlog_eventstore::STATEMENTS;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use super::one;
use crate::support::{Bench, number, run};

const STREAMS: usize = 5;
const SEEDS: u64 = 40;
const CALLS: u32 = 30;

/// A request, as the function is given it.
#[derive(Clone, Debug)]
struct Asked {
    id: Option<Uuid>,
    hash: u8,
    reply: Option<String>,
    parts: Vec<Part>,
}

#[derive(Clone, Debug)]
struct Part {
    stream: usize,
    expected: i64,
    events: Vec<Uuid>,
}

/// One row of the answer: request, outcome, version, first and last position, reply.
type Line = (i32, i16, Option<i64>, Option<i64>, Option<i64>, Option<String>);

#[derive(Clone, Debug, Default)]
struct Stream {
    has_row: bool,
    // Ids and positions.
    events: Vec<(Uuid, i64)>,
}

impl Stream {
    fn version(&self) -> i64 {
        self.events.len() as i64
    }
}

#[derive(Clone, Debug)]
struct Receipt {
    hash: u8,
    reply: Option<String>,
    parts: Vec<(i64, Option<i64>, Option<i64>)>,
}

/// What another transaction holds.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    stream: Option<usize>,
    id: Option<Uuid>,
}

#[derive(Debug, Default)]
struct Model {
    streams: [Stream; STREAMS],
    receipts: BTreeMap<Uuid, Receipt>,
}

impl Model {
    /// Makes the requests one after the other. The first position that is drawn is the server's.
    fn call(&mut self, call: &[Asked], held: Held, mut position: i64) -> Vec<Line> {
        let before: Vec<_> = self.streams.iter().map(Stream::version).collect();
        for part in call.iter().flat_map(|asked| &asked.parts) {
            self.streams[part.stream].has_row |=
                matches!(part.expected, -2 | 0) && held.stream != Some(part.stream);
        }
        let mut lines = Vec::new();
        for (asked, number) in call.iter().zip(1..) {
            let mut answer = |outcome, of: &mut dyn FnMut(usize, &Part) -> (_, _, _), reply: &_| {
                for (place, part) in asked.parts.iter().enumerate() {
                    let (version, first, last) = of(place, part);
                    lines.push((number, outcome, version, first, last, Clone::clone(reply)));
                }
            };
            let unchanged = |part: &Part| (Some(before[part.stream]), None, None);
            let is_held = |part: &Part| {
                held.stream == Some(part.stream)
                    && (self.streams[part.stream].has_row || matches!(part.expected, -2 | 0))
            };
            let fails = |part: &Part| {
                let version = before[part.stream];
                part.expected == -1 && version == 0
                    || part.expected >= 0 && part.expected != version
            };
            let receipt = asked.id.and_then(|id| self.receipts.get(&id));
            if asked.parts.iter().any(is_held) || asked.id.is_some() && asked.id == held.id {
                let mut of = |_, part: &Part| match is_held(part) {
                    true => (None, None, None),
                    false => unchanged(part),
                };
                answer(4, &mut of, &None);
            } else if let Some(receipt) = receipt {
                if receipt.hash != asked.hash {
                    answer(3, &mut |_, part| unchanged(part), &None);
                    continue;
                }
                let mut of = |place: usize, part: &Part| match receipt.parts.get(place) {
                    Some((version, first, last)) => (Some(*version), *first, *last),
                    None => unchanged(part),
                };
                answer(1, &mut of, &receipt.reply);
            } else if asked.parts.iter().any(fails) {
                let stored = |part: &Part| self.stored(part);
                if asked.id.is_some() || !asked.parts.iter().all(|part| stored(part).is_some()) {
                    answer(2, &mut |_, part| unchanged(part), &None);
                    continue;
                }
                let mut of = |_, part: &Part| match stored(part).unwrap() {
                    [] => unchanged(part),
                    events => {
                        let version = part.expected + events.len() as i64;
                        (Some(version), Some(events[0].1), events.last().map(|event| event.1))
                    }
                };
                answer(1, &mut of, &None);
            } else {
                let mut kept = Vec::new();
                let streams = &mut self.streams;
                let mut of = |_, part: &Part| {
                    let mut ends = unchanged(part);
                    for id in &part.events {
                        let stream = &mut streams[part.stream];
                        stream.events.push((*id, position));
                        let first = ends.1.or(Some(position));
                        ends = (Some(stream.version()), first, Some(position));
                        position += 1;
                    }
                    kept.push((ends.0.unwrap(), ends.1, ends.2));
                    ends
                };
                answer(0, &mut of, &None);
                if let Some(id) = asked.id {
                    let (hash, reply) = (asked.hash, asked.reply.clone());
                    self.receipts.insert(id, Receipt { hash, reply, parts: kept });
                }
            }
        }
        lines
    }

    /// The part's events as they are stored behind the version it expects, if all of them are.
    fn stored(&self, part: &Part) -> Option<&[(Uuid, i64)]> {
        let start = usize::try_from(part.expected).ok()?;
        if part.events.is_empty() {
            return Some(&[]);
        }
        let stored = self.streams[part.stream].events.get(start..start + part.events.len())?;
        stored.iter().map(|event| event.0).eq(part.events.iter().copied()).then_some(stored)
    }
}

/// Draws requests, new ones and repetitions.
struct Source {
    rng: fastrand::Rng,
    past: Vec<Asked>,
}

impl Source {
    fn uuid(&mut self) -> Uuid {
        Uuid::from_u128(self.rng.u128(..))
    }

    fn fresh(&mut self, model: &Model) -> Asked {
        let mut streams: Vec<_> = (0..STREAMS).collect();
        self.rng.shuffle(&mut streams);
        streams.truncate(self.rng.usize(1..=3));
        let parts: Vec<_> = streams
            .into_iter()
            .map(|stream| {
                let version = model.streams[stream].version();
                let expected = match self.rng.u32(..8) {
                    0..3 => -2,
                    3 => -1,
                    4 => 0,
                    5 => version + 1,
                    _ => version,
                };
                let events = (0..self.rng.usize(..3)).map(|_| self.uuid()).collect();
                Part { stream, expected, events }
            })
            .collect();
        let asked = Asked { id: None, hash: 1, reply: None, parts };
        if asked.stands_alone() && self.rng.bool() {
            return asked;
        }
        let reply = self.rng.bool().then(|| format!("{{\"n\" : {}}}", self.rng.u32(..)));
        Asked { id: Some(self.uuid()), reply, ..asked }
    }

    fn again(&mut self) -> Option<Asked> {
        let mut asked = self.rng.choice(&self.past)?.clone();
        match self.rng.u32(..5) {
            0 => asked.hash += 1,
            // Of other streams than the first time: what it stands for may leave them open.
            1 if asked.parts.len() > 1 => drop(asked.parts.pop()),
            2 => asked.parts.reverse(),
            3 => asked.parts[0].expected = self.rng.i64(0..6),
            _ => {}
        }
        (asked.id.is_some() || asked.stands_alone()).then_some(asked)
    }

    /// Requests that may share a call.
    fn call(&mut self, model: &Model) -> Vec<Asked> {
        let (mut call, mut ids) = (Vec::new(), BTreeSet::new());
        let mut touched: BTreeMap<usize, i64> = BTreeMap::new();
        for _ in 0..self.rng.usize(1..9) {
            let again = if self.rng.u32(..3) == 0 { self.again() } else { None };
            let asked = again.unwrap_or_else(|| self.fresh(model));
            let meets = |part: &Part| {
                touched.get(&part.stream).is_some_and(|max| *max.max(&part.expected) > -2)
            };
            if asked.parts.iter().any(meets) || asked.id.is_some_and(|id| ids.contains(&id)) {
                continue;
            }
            touched.extend(asked.parts.iter().map(|part| (part.stream, part.expected)));
            ids.extend(asked.id);
            call.push(asked);
        }
        self.past.extend(call.iter().cloned());
        call
    }
}

impl Asked {
    /// Whether it is recognised by its events.
    fn stands_alone(&self) -> bool {
        self.parts.iter().all(|part| part.expected >= 0)
            && self.parts.iter().any(|part| !part.events.is_empty())
    }
}

async fn called(
    session: &mut PgConnection,
    wait_ms: Option<i32>,
    call: &[Asked],
    names: &[String],
) -> Vec<Line> {
    let sql = STATEMENTS.iter().find(|(name, _)| *name == "append").unwrap().1;
    let (mut stream_requests, mut streams, mut expected) = (Vec::new(), Vec::new(), Vec::new());
    let (mut event_streams, mut event_ids) = (Vec::<i32>::new(), Vec::<Uuid>::new());
    for (asked, number) in call.iter().zip(1..) {
        for part in &asked.parts {
            stream_requests.push(number);
            streams.push(names[part.stream].as_str());
            expected.push(part.expected);
            event_streams.extend(part.events.iter().map(|_| streams.len() as i32));
            event_ids.extend_from_slice(&part.events);
        }
    }
    let events = event_ids.len();
    let the_type = "select id::bigint from foldlog.event_type where name = 'Noted'";
    let the_type = number(session, the_type).await as i32;
    let rows = sqlx::query(sql)
        .bind(wait_ms)
        .bind(vec![""; call.len()])
        .bind(call.iter().map(|asked| asked.id).collect::<Vec<_>>())
        .bind(call.iter().map(|asked| asked.id.map(|_| vec![asked.hash])).collect::<Vec<_>>())
        .bind(call.iter().map(|asked| asked.reply.as_deref()).collect::<Vec<_>>())
        .bind(stream_requests)
        .bind(streams)
        .bind(expected)
        .bind(event_streams)
        .bind(event_ids)
        .bind(vec![the_type; events])
        .bind(vec!["1"; events])
        .bind(vec![None::<&str>; events])
        // No tags, no conditions.
        .bind(None::<Vec<String>>)
        .bind(None::<Vec<i32>>)
        .bind(None::<Vec<String>>)
        .bind(None::<Vec<String>>)
        .bind(None::<Vec<i64>>)
        .bind(None::<Vec<String>>)
        .fetch_all(session)
        .await
        .unwrap();
    let line = |row: &sqlx::postgres::PgRow| {
        let ends = (row.get("first_position"), row.get("last_position"));
        (
            row.get("request"),
            row.get("outcome"),
            row.get("version"),
            ends.0,
            ends.1,
            row.get("reply"),
        )
    };
    rows.iter().map(line).collect()
}

/// Another transaction takes a stream, or an id, or neither.
async fn hold(
    bench: &Bench,
    holder: &mut PgConnection,
    source: &mut Source,
    names: &[String],
) -> Held {
    let mut held = Held::default();
    match source.rng.u32(..6) {
        0 | 1 => {
            let stream = source.rng.usize(..STREAMS);
            bench.append_in(holder, &names[stream]).await;
            held.stream = Some(stream);
        }
        2 => {
            held.id = source.rng.choice(&source.past).and_then(|asked| asked.id);
            if let Some(id) = held.id {
                // A repetition holds it, too.
                let request = one("note-aside", Any, 1).id(id);
                let _reused = bench.store.append_in(holder, &request).await;
            }
        }
        _ => {}
    }
    held
}

#[tokio::test]
async fn a_call_of_many_requests_answers_as_one_after_the_other_would() {
    let bench = Bench::new().await;
    bench.append("note-aside", Any, 1).await;
    let (mut session, mut holder) = (bench.session().await, bench.session().await);
    let mut outcomes = BTreeMap::<i16, u32>::new();
    for seed in 0..SEEDS {
        let mut source = Source { rng: fastrand::Rng::with_seed(seed), past: Vec::new() };
        let mut model = Model::default();
        let names: Vec<_> = (0..STREAMS).map(|n| format!("note-{seed}-{n}")).collect();
        let mut last = 0;
        for n in 0..CALLS {
            let call = source.call(&model);
            run(&mut holder, "begin").await;
            let held = hold(&bench, &mut holder, &mut source, &names).await;
            let waits = held.stream.is_none() && held.id.is_none() && source.rng.bool();
            let wait_ms = if waits { None } else { Some(0) };
            let answer = called(&mut session, wait_ms, &call, &names).await;
            run(&mut holder, "rollback").await;
            let drawn = answer.iter().filter(|line| line.1 == 0).filter_map(|line| line.3).min();
            assert!(drawn.is_none_or(|drawn| drawn > last), "positions rise");
            let expected = model.call(&call, held, drawn.unwrap_or_default());
            assert_eq!(answer, expected, "seed {seed}, call {n}: {call:#?}\nwhile {held:?}");
            last = answer.iter().filter_map(|line| line.4).max().map_or(last, |end| end.max(last));
            for line in &answer {
                *outcomes.entry(line.1).or_default() += 1;
            }
        }
        for (stream, name) in model.streams.iter().zip(&names) {
            let stored: Vec<(Uuid, i64)> = sqlx::query_as(
                "select e.event_id, e.position from foldlog.event e
                join foldlog.stream s on s.id = e.stream_id where s.name = $1 order by e.version",
            )
            .bind(name)
            .fetch_all(&mut session)
            .await
            .unwrap();
            assert_eq!(stored, stream.events, "seed {seed}, {name}");
        }
    }
    println!("outcomes: {outcomes:?}");
    assert!((0..=4).all(|outcome| outcomes[&outcome] > 50), "each of them: {outcomes:?}");
}
