//! Reading every event in the settled order, decoded and raw.

use std::pin::pin;
use std::time::Instant;

use foldlog::Filter;
use futures_util::TryStreamExt as _;
use serde_json::json;

use crate::Failure;
use crate::account::{AccountEvent, cents};
use crate::bed::Bed;
use crate::callers::{Measured, Rounds};
use crate::figures::Latencies;
use crate::plain::Session;
use crate::report::{Line, Report, rounded};
use crate::run::{Run, in_turn};
use crate::streams::Accounts;

const EVENTS: i64 = 1_000_000;
const EVENTS_OF_STREAM: i64 = 10;
/// An event can't be smaller: its payload, its id, and the numbers around them.
const EVENT_BYTES_MIN: i64 = 240;

enum Side {
    Typed,
    Raw,
    Copied,
}

pub async fn measure(run: &Run<'_>) -> Result<Report, Failure> {
    let bed = Bed::open(run.server, "read").await?;
    let streams = (run.arguments.size_or(EVENTS) / EVENTS_OF_STREAM).max(1);
    let accounts = Accounts { first: 0, count: streams, version: EVENTS_OF_STREAM.unsigned_abs() };
    bed.fill(accounts).await?;
    let events = streams * EVENTS_OF_STREAM;
    bed.check(events).await?;
    let wanted = (0..streams)
        .flat_map(|account| (1..=accounts.version).map(move |version| cents(account, version)))
        .sum();
    let (mut typed, mut raw, mut copied) =
        (Rounds::default(), Rounds::default(), Rounds::default());
    // Round 0 brings the rows into memory and is not counted.
    for round in 0..=run.arguments.rounds() {
        let watch = run.machine.quiet().await?;
        for side in in_turn(round, [Side::Typed, Side::Raw, Side::Copied]) {
            let (measured, rounds) = match side {
                Side::Typed => (read_typed(&bed, events, wanted).await?, &mut typed),
                Side::Raw => (read_raw(&bed, events).await?, &mut raw),
                Side::Copied => (copy(&bed, events).await?, &mut copied),
            };
            if round > 0 {
                rounds.push(measured);
            }
        }
        watch.end()?;
    }
    bed.close(run.server).await?;
    Ok(Report {
        bench: "read",
        limit: "COPY of the same rows in the same order, in the binary form",
        facts: vec![
            ("size", json!(events)),
            ("typed_per_s", json!(rounded(typed.per_s()))),
            ("raw_per_s", json!(rounded(raw.per_s()))),
        ],
        lines: vec![
            Line::new("decoded, times of a page", 1, &typed, &copied),
            Line::new("raw, times of a page", 1, &raw, &copied),
        ],
    })
}

async fn read_typed(bed: &Bed, events: i64, wanted: i64) -> Result<Measured, Failure> {
    let mut subscription = bed.app().store().subscribe_to::<AccountEvent>()?;
    let mut pass = Pass::begin();
    let mut sum = 0;
    while pass.events < events {
        let page = subscription.next_typed::<AccountEvent>().await?;
        sum += page.iter().map(|recorded| recorded.event.cents()).sum::<i64>();
        pass.page(page.len())?;
    }
    if sum != wanted {
        return Err(format!("the events read sum up to {sum}, those stored to {wanted}").into());
    }
    pass.end(events)
}

async fn read_raw(bed: &Bed, events: i64) -> Result<Measured, Failure> {
    let mut subscription = bed.app().store().subscribe(Filter::all());
    let mut pass = Pass::begin();
    let mut last = 0;
    while pass.events < events {
        let page = subscription.next().await?;
        for event in &page.events {
            let position = event.position().get();
            if position <= last {
                return Err(format!("position {position} was read after {last}").into());
            }
            last = position;
        }
        pass.page(page.events.len())?;
    }
    pass.end(events)
}

async fn copy(bed: &Bed, events: i64) -> Result<Measured, Failure> {
    let session = Session::open(bed.endpoint()).await?;
    session.client.batch_execute(include_str!("../../sql/copy_session.sql")).await?;
    let mut pass = Pass::begin();
    let copied = session.client.copy_out(include_str!("../../sql/event_copy.sql")).await?;
    let mut bytes = 0;
    let mut copied = pin!(copied);
    while let Some(part) = copied.try_next().await? {
        bytes += i64::try_from(part.len())?;
    }
    if bytes < events * EVENT_BYTES_MIN {
        return Err(format!("a copy of {events} events had only {bytes} bytes").into());
    }
    pass.page(usize::try_from(events)?)?;
    let measured = pass.end(events);
    session.close().await;
    measured
}

/// One reading of everything.
struct Pass {
    begun: Instant,
    page_begun: Instant,
    events: i64,
    latencies: Latencies,
}

impl Pass {
    fn begin() -> Self {
        let now = Instant::now();
        Self { begun: now, page_begun: now, events: 0, latencies: Latencies::default() }
    }

    fn page(&mut self, events: usize) -> Result<(), Failure> {
        let now = Instant::now();
        self.latencies.record(now - self.page_begun);
        self.page_begun = now;
        self.events += i64::try_from(events)?;
        Ok(())
    }

    fn end(self, events: i64) -> Result<Measured, Failure> {
        if self.events != events {
            return Err(format!("{} events were read, {events} are stored", self.events).into());
        }
        Ok(Measured {
            per_s: events as f64 / self.begun.elapsed().as_secs_f64(),
            events: events.unsigned_abs(),
            latencies: self.latencies,
        })
    }
}
