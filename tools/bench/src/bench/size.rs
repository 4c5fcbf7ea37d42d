//! Appends and commands on stores of several sizes.

use std::time::Instant;

use serde_json::{Map, Value, json};

use crate::Failure;
use crate::bed::Bed;
use crate::bench::append::Appender;
use crate::bench::command::{Commander, LOADED, Supply, loaded_mean};
use crate::callers::{Rounds, drive};
use crate::report::{Line, Report, rounded};
use crate::run::Run;
use crate::streams::Accounts;

const SIZES: [i64; 3] = [10_000, 1_000_000, 10_000_000];
const SIZES_SMOKE: [i64; 2] = [1_000, 5_000];
/// What a command loads.
const EVENTS_OF_STREAM: i64 = LOADED.cast_signed();

/// A store of one size. Appends go to the first half of its streams, commands to the others.
struct Store {
    size: i64,
    bed: Bed,
    filled_s: f64,
    events: i64,
    appenders: Vec<Appender>,
    commanders: Vec<Commander>,
    supply: Supply,
    appended: Rounds,
    executed: Rounds,
}

pub async fn measure(run: &Run<'_>) -> Result<Report, Failure> {
    let (mut stores, sizes) = (Vec::new(), sizes(run));
    // As many on each store: no more than the smallest has streams for.
    let streams = sizes.first().map_or(1, |size| size / EVENTS_OF_STREAM / 2);
    let clients = run.arguments.clients().min(usize::try_from(streams)?);
    for size in sizes {
        stores.push(Store::fill(run, size, clients).await?);
    }
    for round in 0..=run.arguments.rounds() {
        for store in &mut stores {
            store.round(run, round).await?;
        }
    }
    let lines = lines(&stores, clients);
    let mut facts = vec![("connections", json!(stores.first().map(|s| s.bed.connections())))];
    let by_size = |of: fn(&Store) -> Value| -> Value {
        let named = stores.iter().map(|store| (store.size.to_string(), of(store)));
        Value::Object(named.collect::<Map<_, _>>())
    };
    facts.push(("append_per_s", by_size(|store| json!(rounded(store.appended.per_s())))));
    facts.push(("command_per_s", by_size(|store| json!(rounded(store.executed.per_s())))));
    facts.push(("filled_s", by_size(|store| json!(rounded(store.filled_s)))));
    facts.push(("events_at_the_end", by_size(|store| json!(store.events))));
    facts.push(("loaded_mean", by_size(|store| json!(rounded(loaded_mean(&store.commanders))))));
    for store in stores {
        store.close(run).await?;
    }
    let limit = "the same on the smallest store, in the same rounds";
    Ok(Report { bench: "size", limit, lines, facts })
}

/// The usual ones up to the size that was asked for, and that.
fn sizes(run: &Run<'_>) -> Vec<i64> {
    let all: &[i64] = if run.arguments.smoke { &SIZES_SMOKE } else { &SIZES };
    let largest = all.last().copied().unwrap_or(0);
    let asked = run.arguments.size.unwrap_or(largest);
    let mut sizes: Vec<i64> = all.iter().copied().filter(|size| *size < asked).collect();
    sizes.push(asked);
    sizes
}

/// The largest store first, for that is the figure; the smallest is the limit of each.
fn lines(stores: &[Store], clients: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    let Some(smallest) = stores.first() else { return lines };
    for store in stores.iter().rev() {
        let label = format!("appends at {} events", store.size);
        lines.push(Line::new(label, clients, &store.appended, &smallest.appended));
    }
    for store in stores.iter().rev() {
        let label = format!("commands at {} events", store.size);
        lines.push(Line::new(label, clients, &store.executed, &smallest.executed));
    }
    lines
}

impl Store {
    async fn fill(run: &Run<'_>, size: i64, clients: usize) -> Result<Self, Failure> {
        let bed = Bed::open(run.server, &format!("size_{size}")).await?;
        let streams = size / EVENTS_OF_STREAM;
        let begun = Instant::now();
        bed.fill(Accounts { first: 0, count: streams, version: LOADED }).await?;
        let half = streams / 2;
        let appended = Accounts { first: 0, count: half, version: LOADED };
        let supply = Supply::new(Accounts { first: half, count: streams - half, version: LOADED });
        Ok(Self {
            size,
            filled_s: begun.elapsed().as_secs_f64(),
            events: streams * EVENTS_OF_STREAM,
            appenders: Appender::several(bed.app(), appended, clients),
            commanders: Commander::several(bed.app(), &supply.untouched, clients),
            bed,
            supply,
            appended: Rounds::default(),
            executed: Rounds::default(),
        })
    }

    /// Appends, then commands. Round 0 only warms up.
    async fn round(&mut self, run: &Run<'_>, round: usize) -> Result<(), Failure> {
        let time = if round == 0 { run.warming() } else { run.arguments.time() };
        let per_s = (round > 1).then(|| self.executed.per_s());
        self.events += self.supply.ready(&self.bed, run, per_s).await?;
        let watch = run.machine.quiet().await?;
        let (appended, callers) = drive(std::mem::take(&mut self.appenders), time).await?;
        self.appenders = callers;
        let (executed, callers) = drive(std::mem::take(&mut self.commanders), time).await?;
        self.commanders = callers;
        watch.end()?;
        self.events += i64::try_from(appended.events + executed.events)?;
        if round > 0 {
            self.appended.push(appended);
            self.executed.push(executed);
        }
        Ok(())
    }

    async fn close(self, run: &Run<'_>) -> Result<(), Failure> {
        self.bed.check(self.events).await?;
        self.bed.close(run.server).await
    }
}
