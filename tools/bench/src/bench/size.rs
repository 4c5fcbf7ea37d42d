//! Appends and commands on stores of several sizes.

mod store;

use serde_json::{Map, Value, json};

use crate::Failure;
use crate::report::{Line, Report, rounded};
use crate::run::Run;
use store::{EVENTS_OF_STREAM, Store};

const SIZES: [i64; 3] = [10_000, 1_000_000, 10_000_000];
const SIZES_SMOKE: [i64; 2] = [1_000, 5_000];

pub async fn measure(run: &Run<'_>) -> Result<Report, Failure> {
    let (mut stores, sizes) = (Vec::new(), sizes(run));
    // As many on each store: no more than the smallest has streams for.
    let streams = sizes.first().map_or(1, |size| size / EVENTS_OF_STREAM / 2);
    let clients = run.arguments.clients().min(usize::try_from(streams)?);
    for size in sizes {
        stores.push(Store::new(run, size, clients).await?);
    }
    for round in 0..=run.arguments.rounds() {
        for store in &mut stores {
            store.round(run, round).await?;
        }
        // Another one is the first of the next round.
        stores.reverse();
    }
    stores.sort_by_key(|store| store.size);
    let (lines, facts) = (lines(&stores), facts(&stores));
    for store in stores {
        store.close(run).await?;
    }
    let limit = "the same on the smallest store, in the same rounds";
    Ok(Report { bench: "size", limit, lines, facts })
}

/// The usual ones up to the size that was asked for, and that.
fn sizes(run: &Run<'_>) -> Vec<i64> {
    let all: &[i64] = if run.arguments.smoke { &SIZES_SMOKE } else { &SIZES };
    let asked = run.arguments.size_or(all.last().copied().unwrap_or(0));
    let mut sizes: Vec<i64> = all.iter().copied().filter(|size| *size < asked).collect();
    sizes.push(asked);
    sizes
}

/// The largest store first, for that is the figure; the smallest is the limit of each.
fn lines(stores: &[Store]) -> Vec<Line> {
    let mut lines = Vec::new();
    let Some(smallest) = stores.first() else { return lines };
    let events = |store: &Store| {
        format!("{} to {} events", store.events_at_the_start, store.events_at_the_end)
    };
    for store in stores.iter().rev() {
        let label = format!("appends at {}", events(store));
        lines.push(Line::new(label, store.clients, &store.appended, &smallest.appended));
    }
    for store in stores.iter().rev() {
        let label = format!("commands at {}", events(store));
        lines.push(Line::new(label, store.clients, &store.executed, &smallest.executed));
    }
    lines
}

/// Each by the size that was made.
fn facts(stores: &[Store]) -> Vec<(&'static str, Value)> {
    let by_size = |of: fn(&Store) -> Value| -> Value {
        let named = stores.iter().map(|store| (store.size.to_string(), of(store)));
        Value::Object(named.collect::<Map<_, _>>())
    };
    vec![
        ("connections", json!(stores.first().map(|store| store.connections))),
        ("streams", by_size(|store| json!(store.size / EVENTS_OF_STREAM))),
        ("events_at_the_start", by_size(|store| json!(store.events_at_the_start))),
        ("events_at_the_end", by_size(|store| json!(store.events_at_the_end))),
        ("append_per_s", by_size(|store| json!(rounded(store.appended.per_s())))),
        ("command_per_s", by_size(|store| json!(rounded(store.executed.per_s())))),
        ("loaded_mean", by_size(|store| json!(rounded(store.loaded_mean)))),
        ("filled_s", by_size(|store| json!(rounded(store.filled_s)))),
    ]
}
