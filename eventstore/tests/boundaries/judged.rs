//! The append function against the model of it: random calls of requests with tags and conditions, of
//! which some meet what another transaction holds.

use std::collections::{BTreeMap, BTreeSet};

use foldlog_eventstore::STATEMENTS;
use sqlx::{PgConnection, Row};

use super::drawn::{Source, texts};
use super::model::{Answer, Asked, Held, Item, Model, TENANTS, name};
use super::planted::Bug;
use crate::support::{Bench, number, run};

const SEEDS: u64 = 25;
const CALLS: u32 = 40;

/// A store, and who calls its append function: the one that is judged, and one that holds something.
struct Calls {
    session: PgConnection,
    holder: PgConnection,
    types: BTreeMap<String, i32>,
    tenants: [String; TENANTS],
    // By outcome, and 10 + n for calls that were refused with FL00n, 20 for those of one lock for all.
    outcomes: BTreeMap<i16, u32>,
}

impl Calls {
    async fn new(bench: &Bench) -> Self {
        let mut session = bench.session().await;
        let types: Vec<(String, i32)> = sqlx::query_as("select name, id from foldlog.event_type")
            .fetch_all(&mut session)
            .await
            .unwrap();
        let holder = bench.session().await;
        let (types, tenants) = (types.into_iter().collect(), <[String; TENANTS]>::default());
        Self { session, holder, types, tenants, outcomes: BTreeMap::new() }
    }

    async fn buckets(&mut self) -> BTreeMap<(usize, String), i64> {
        let mut buckets = BTreeMap::new();
        for (number, tenant) in self.tenants.iter().enumerate() {
            let sql = "select t, foldlog.lock_bucket($1, t)::bigint from unnest($2::text[]) t";
            let query = sqlx::query_as(sql).bind(tenant).bind(texts());
            let rows: Vec<(String, i64)> = query.fetch_all(&mut self.session).await.unwrap();
            buckets.extend(rows.into_iter().map(|(text, bucket)| ((number, text), bucket)));
        }
        buckets
    }

    /// Makes calls of one seed, and answers the first of which the model says otherwise.
    async fn disagreement(&mut self, seed: u64) -> Option<String> {
        self.tenants = std::array::from_fn(|n| format!("tenant{n}-of{seed}"));
        let mut model = Model::new(self.buckets().await);
        let last = "select last_value - (not is_called)::int from foldlog.event_position";
        let mut source = Source::new(seed, number(&mut self.session, last).await);
        for n in 0..CALLS {
            let call = source.call(&model);
            run(&mut self.holder, "begin").await;
            let mut held = Held::default();
            if source.rng.u32(..3) == 0 {
                let holds = source.call(&model);
                let answer = called(&mut self.holder, Some(0), &holds, &self.tenants, &self.types);
                let answer = answer.await;
                // It is taken back, and so is what the model makes of it.
                let (expected, holding) =
                    model.clone().call(&holds, &Held::default(), drawn(&answer, &mut source));
                if answer != expected {
                    return Some(told(seed, n, &holds, &held, &answer, &expected));
                }
                held = holding;
            }
            let wait_ms = match source.rng.u32(..4) {
                // Tags it waits for in vain, but an answer it is.
                1 if !held.stops(&call, &model) => Some(15),
                2 | 3 if held.is_empty() => None,
                _ => Some(0),
            };
            let answer =
                called(&mut self.session, wait_ms, &call, &self.tenants, &self.types).await;
            run(&mut self.holder, "rollback").await;
            let (expected, of_call) = model.call(&call, &held, drawn(&answer, &mut source));
            if answer != expected {
                return Some(told(seed, n, &call, &held, &answer, &expected));
            }
            self.count(&answer, &of_call);
        }
        let (stored, expected) = (self.stored().await, stored_by(&model));
        (stored != expected).then(|| format!("seed {seed}: {stored:#?}, and not {expected:#?}"))
    }

    fn count(&mut self, answer: &Answer, held: &Held) {
        let outcomes: Vec<i16> = match answer {
            Ok(lines) => lines.iter().map(|line| line.1).collect(),
            Err(code) => vec![10 + code[4..].parse::<i16>().unwrap()],
        };
        for outcome in outcomes.into_iter().chain(held.holds_all().then_some(20)) {
            *self.outcomes.entry(outcome).or_default() += 1;
        }
    }

    /// The rows of events and of their tags, by tenant.
    async fn stored(&mut self) -> Stored {
        let events = "select s.tenant::text, s.name::text, e.version, e.position, e.event_id::text,
                y.name::text
            from foldlog.event e
            join foldlog.stream s on s.id = e.stream_id
            join foldlog.event_type y on y.id = e.type_id
            where s.tenant = any ($1)";
        let events = sqlx::query_as(events).bind(&self.tenants).fetch_all(&mut self.session);
        let events: Vec<_> = events.await.unwrap();
        let tags = "select t.tenant::text, t.tag::text, t.position, y.name::text
            from foldlog.event_tag t
            join foldlog.event_type y on y.id = t.type_id
            where t.tenant = any ($1)";
        let tags = sqlx::query_as(tags).bind(&self.tenants).fetch_all(&mut self.session);
        let tags: Vec<_> = tags.await.unwrap();
        let number = |of: String| self.tenants.iter().position(|tenant| *tenant == of).unwrap();
        let event =
            |row: (String, _, _, _, _, _)| (number(row.0), row.1, row.2, row.3, row.4, row.5);
        let tag = |row: (String, _, _, _)| (number(row.0), row.1, row.2, row.3);
        (events.into_iter().map(event).collect(), tags.into_iter().map(tag).collect())
    }
}

/// Events by tenant, stream and version, with their positions, ids and types; and tags with theirs.
type Stored =
    (BTreeSet<(usize, String, i64, i64, String, String)>, BTreeSet<(usize, String, i64, String)>);

fn stored_by(model: &Model) -> Stored {
    let (mut events, mut tags) = Stored::default();
    for ((tenant, number), stream) in &model.streams {
        for ((event, position), version) in stream.events.iter().zip(1..) {
            let (id, kind) = (event.id.to_string(), event.kind.to_owned());
            tags.extend(
                event.tags.iter().map(|tag| (*tenant, tag.clone(), *position, kind.clone())),
            );
            events.insert((*tenant, name(*number), version, *position, id, kind));
        }
    }
    (events, tags)
}

fn told(
    seed: u64,
    n: u32,
    call: &[Asked],
    held: &Held,
    answer: &Answer,
    expected: &Answer,
) -> String {
    format!("seed {seed}, call {n}: {answer:?}\nand not {expected:?}\nto {call:#?}\nwhile {held:?}")
}

/// The first position that was drawn for a call: all that the model does not know.
fn drawn(answer: &Answer, source: &mut Source) -> i64 {
    let appended = || answer.iter().flatten().filter(|line| line.1 == 0);
    let first = appended().filter_map(|line| line.3).min().unwrap_or_default();
    assert!(first == 0 || first > source.last, "positions rise");
    source.last = appended().filter_map(|line| line.4).fold(source.last, i64::max);
    first
}

async fn called(
    session: &mut PgConnection,
    wait_ms: Option<i32>,
    call: &[Asked],
    tenants: &[String],
    types: &BTreeMap<String, i32>,
) -> Answer {
    let sql = STATEMENTS.iter().find(|(name, _)| *name == "append").unwrap().1;
    let parts = || (1..).zip(call).flat_map(|(n, a)| a.parts.iter().map(move |part| (n, part)));
    let events = || (1..).zip(parts()).flat_map(|(n, p)| p.1.events.iter().map(move |e| (n, e)));
    let items = || (1..).zip(call).flat_map(|(n, a)| a.items.iter().map(move |item| (n, item)));
    let tags = |tags: &[String]| (!tags.is_empty()).then(|| tags.join("\u{1f}"));
    let event_tags: Vec<_> = events().map(|event| tags(&event.1.tags)).collect();
    let seen = |item: &Item| {
        let seen: Vec<_> = item.seen.iter().map(ToString::to_string).collect();
        (!seen.is_empty()).then(|| format!("{{{}}}", seen.join(",")))
    };
    let rows = sqlx::query(sql)
        .bind(wait_ms)
        .bind(call.iter().map(|asked| tenants[asked.tenant].as_str()).collect::<Vec<_>>())
        .bind(call.iter().map(|asked| asked.id).collect::<Vec<_>>())
        .bind(call.iter().map(|asked| asked.id.map(|_| vec![asked.hash])).collect::<Vec<_>>())
        .bind(vec![None::<&str>; call.len()])
        .bind(parts().map(|part| part.0).collect::<Vec<i32>>())
        .bind(parts().map(|part| name(part.1.stream)).collect::<Vec<_>>())
        .bind(parts().map(|part| part.1.expected).collect::<Vec<_>>())
        .bind(events().map(|event| event.0).collect::<Vec<i32>>())
        .bind(events().map(|event| event.1.id).collect::<Vec<_>>())
        .bind(events().map(|event| types[event.1.kind]).collect::<Vec<_>>())
        .bind(vec!["1"; event_tags.len()])
        .bind(vec![None::<&str>; event_tags.len()])
        .bind(event_tags.iter().any(Option::is_some).then_some(&event_tags))
        .bind(items().map(|item| item.0).collect::<Vec<i32>>())
        .bind(items().map(|i| i.1.types.as_ref().map(|t| t.join("\u{1f}"))).collect::<Vec<_>>())
        .bind(items().map(|i| i.1.tags.as_ref().and_then(|t| tags(t))).collect::<Vec<_>>())
        .bind(items().map(|item| item.1.after).collect::<Vec<_>>())
        .bind(items().map(|item| seen(item.1)).collect::<Vec<_>>())
        .fetch_all(&mut *session)
        .await;
    let line = |row: &sqlx::postgres::PgRow| {
        let ends = (row.get("first_position"), row.get("last_position"));
        (row.get("request"), row.get("outcome"), row.get("version"), ends.0, ends.1)
    };
    match rows {
        Ok(rows) => Ok(rows.iter().map(line).collect()),
        Err(error) => {
            // The server tells a refusal before it lets go what it has locked.
            run(session, "rollback").await;
            Err(error.as_database_error().unwrap().code().unwrap().into_owned())
        }
    }
}

#[tokio::test]
async fn a_call_with_tags_and_conditions_answers_as_one_request_after_the_other_would() {
    let bench = Bench::new().await;
    let mut calls = Calls::new(&bench).await;
    for seed in 0..SEEDS {
        if let Some(disagreement) = calls.disagreement(seed).await {
            panic!("{disagreement}");
        }
    }
    println!("outcomes: {:?}", calls.outcomes);
    let often = |outcome| calls.outcomes.get(&outcome).is_some_and(|times| *times >= 10);
    assert!([0, 1, 2, 3, 4, 6, 13, 16, 20].into_iter().all(often), "{:?}", calls.outcomes);
}

/// The model counts only because it disagrees with a function that is wrong.
#[tokio::test]
async fn a_planted_bug_of_a_condition_is_disagreed_with() {
    let bugs = [
        ("item_failures", "and t.position <> all (i.seen)", ""),
        ("item_failures", "order by e.position", "order by e.position desc"),
        ("item_failures", "i.tags[2:]", "i.tags[3:]"),
        ("append_check_tags", "w.request <> i.request and", "false and"),
        ("append_guard", "min(m.position)", "max(m.position)"),
    ];
    for (function, from, to) in bugs {
        let bench = Bench::new().await;
        Bug { function, from, to }.plant(&bench).await;
        let mut calls = Calls::new(&bench).await;
        let mut seeds = 0..100;
        while calls.disagreement(seeds.next().unwrap_or_else(|| panic!("{to}"))).await.is_none() {}
        println!("{function}, {to}: found before seed {}", seeds.start);
    }
}
