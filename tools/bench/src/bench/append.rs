//! Appends of one event each to streams of the callers' own, each at the version it is known to be.

use foldlog::{App, AppendError, Expected, StreamEvents};
use serde_json::json;

use crate::Failure;
use crate::account::{AccountEvent, AccountId};
use crate::bed::Bed;
use crate::callers::Caller;
use crate::pair::Pair;
use crate::plain::{self, Batches};
use crate::report::{Line, Report};
use crate::run::Run;
use crate::streams::{Accounts, Share};

/// How many streams the callers of one line share.
const STREAMS: i64 = 20_480;
const STREAMS_SMOKE: i64 = 2_048;

/// How many streams so many callers share: at least one each.
pub fn streams(run: &Run<'_>, callers: usize) -> i64 {
    let streams = if run.arguments.smoke { STREAMS_SMOKE } else { STREAMS };
    streams.max(i64::try_from(callers).unwrap_or(i64::MAX))
}

/// One of the callers: appends through the app, as a user does.
pub struct Appender {
    app: App,
    share: Share,
    /// How often the answer was that a lock was not to be had.
    pub busy: u64,
}

impl Appender {
    pub fn several(app: &App, accounts: Accounts, callers: usize) -> Vec<Self> {
        let shares = accounts.shares(callers).into_iter();
        shares.map(|share| Self { app: app.clone(), share, busy: 0 }).collect()
    }

    /// The event that it appends next, and the condition.
    pub fn next(&self) -> StreamEvents {
        let (account, version) = self.share.next();
        let event = AccountEvent::of(account, version + 1);
        StreamEvents::of(&AccountId(account), Expected::Exact(version), event)
    }
}

impl Caller for Appender {
    async fn call(&mut self) -> Result<u64, Failure> {
        loop {
            match self.app.append([self.next()]).await {
                Ok(_) => break,
                Err(AppendError::Busy { .. }) => self.busy += 1,
                Err(error) => return Err(error.into()),
            }
        }
        self.share.advance();
        Ok(1)
    }
}

/// 64 and 1,024 callers, or as many as were asked for, each beside batches of so many.
pub async fn many(run: &Run<'_>) -> Result<Report, Failure> {
    let sides = match run.arguments.clients {
        Some(clients) => vec![(clients, clients.min(500))],
        None if run.arguments.smoke => vec![(16, 16)],
        None => vec![(64, 64), (1_024, 500)],
    };
    let limit = "one connection writing the same event and stream rows, a batch to a statement";
    measure(run, "append", limit, &sides).await
}

/// A single caller.
pub async fn one(run: &Run<'_>) -> Result<Report, Failure> {
    let limit = "one connection writing the same event and stream row, a prepared statement each";
    measure(run, "append-one", limit, &[(1, 1)]).await
}

async fn measure(
    run: &Run<'_>,
    bench: &'static str,
    limit: &'static str,
    sides: &[(usize, usize)],
) -> Result<Report, Failure> {
    let bed = Bed::open(run.server, &bench.replace('-', "_")).await?;
    let count = streams(run, sides.iter().map(|(callers, _)| *callers).max().unwrap_or(1));
    let mut events = count * i64::try_from(sides.len())?;
    bed.fill(Accounts { first: 0, count: events, version: 1 }).await?;
    plain::copy_store(bed.endpoint()).await?;
    let mut pairs = Vec::new();
    for (place, (callers, batch)) in (0..).zip(sides) {
        let accounts = Accounts { first: place * count, count, version: 1 };
        let batches = Batches::open(bed.endpoint(), accounts.share(), *batch).await?;
        pairs.push(Pair::new(Appender::several(bed.app(), accounts, *callers), vec![batches]));
    }
    for round in 0..=run.arguments.rounds() {
        for pair in &mut pairs {
            events += i64::try_from(pair.round(run, round).await?.ours)?;
        }
    }
    bed.check(events).await?;
    let mut lines = Vec::new();
    for (pair, (callers, batch)) in pairs.into_iter().zip(sides) {
        let label = match callers {
            1 => "one caller, limit one row at a time".to_owned(),
            _ => format!("{callers} callers, limit in batches of {batch}"),
        };
        lines.push(Line::new(label, *callers, &pair.measured, &pair.limit_measured));
    }
    let facts = vec![("connections", json!(bed.connections())), ("streams", json!(count))];
    bed.close(run.server).await?;
    Ok(Report { bench, limit, lines, facts })
}
