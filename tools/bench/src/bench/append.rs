//! Appends of one event each to streams of the callers' own, each at the version it is known to be.

use foldlog::{App, Expected, StreamEvents};
use serde_json::json;

use crate::Failure;
use crate::account::{AccountEvent, AccountId};
use crate::bed::Bed;
use crate::callers::{Caller, Rounds, drive};
use crate::plain::{self, Batches};
use crate::report::{Line, Report};
use crate::run::Run;
use crate::streams::{Accounts, Share};

/// How many streams the callers of one line share.
const STREAMS: i64 = 20_480;
const STREAMS_SMOKE: i64 = 2_048;

/// One of the callers: appends through the app, as a user does.
pub struct Appender {
    pub app: App,
    pub share: Share,
}

impl Appender {
    pub fn several(app: &App, accounts: Accounts, callers: usize) -> Vec<Self> {
        let shares = accounts.shares(callers).into_iter();
        shares.map(|share| Self { app: app.clone(), share }).collect()
    }
}

impl Caller for Appender {
    async fn call(&mut self) -> Result<u64, Failure> {
        let (account, version) = self.share.next();
        let event = AccountEvent::of(account, version + 1);
        let events = StreamEvents::of(&AccountId(account), Expected::Exact(version), event);
        self.app.append([events]).await?;
        self.share.advance();
        Ok(1)
    }
}

/// So many callers beside a connection that writes batches of so many.
struct Pair {
    callers: usize,
    batch: usize,
    ours: Vec<Appender>,
    limit: Vec<Batches>,
    measured: Rounds,
    limit_measured: Rounds,
}

/// 64 and 1,024 callers, or as many as were asked for.
pub async fn many(run: &Run<'_>) -> Result<Report, Failure> {
    let pairs = match run.arguments.clients {
        Some(clients) => vec![(clients, clients.min(500))],
        None if run.arguments.smoke => vec![(16, 16)],
        None => vec![(64, 64), (1_024, 500)],
    };
    measure(run, "append", &pairs).await
}

/// A single caller.
pub async fn one(run: &Run<'_>) -> Result<Report, Failure> {
    measure(run, "append-one", &[(1, 1)]).await
}

async fn measure(
    run: &Run<'_>,
    bench: &'static str,
    pairs: &[(usize, usize)],
) -> Result<Report, Failure> {
    let bed = Bed::open(run.server, &bench.replace('-', "_")).await?;
    let count = if run.arguments.smoke { STREAMS_SMOKE } else { STREAMS };
    let all = Accounts { first: 0, count: count * i64::try_from(pairs.len())?, version: 1 };
    bed.fill(all).await?;
    plain::copy_store(bed.endpoint()).await?;
    let mut measured = Vec::new();
    for (place, (callers, batch)) in (0..).zip(pairs) {
        let accounts = Accounts { first: place * count, count, version: 1 };
        let mut limit = Vec::new();
        for share in accounts.shares(1) {
            limit.push(Batches::open(bed.endpoint(), share, *batch).await?);
        }
        measured.push(Pair {
            callers: *callers,
            batch: *batch,
            ours: Appender::several(bed.app(), accounts, *callers),
            limit,
            measured: Rounds::default(),
            limit_measured: Rounds::default(),
        });
    }
    let mut appended = 0;
    for round in 0..=run.arguments.rounds() {
        for pair in &mut measured {
            // The first round opens connections and prepares statements, and is not counted.
            appended += pair.round(run, round == 0).await?;
        }
    }
    bed.check(all.count + i64::try_from(appended)?).await?;
    let connections = bed.connections();
    let mut lines = Vec::new();
    for pair in measured {
        lines.push(pair.finish().await);
    }
    bed.close(run.server).await?;
    Ok(Report {
        bench,
        limit: if bench == "append" {
            "one connection writing the same event and stream rows, a batch to each statement"
        } else {
            "one connection writing the same event and stream row, a prepared statement each"
        },
        lines,
        facts: vec![("connections", json!(connections)), ("streams", json!(count))],
    })
}

impl Pair {
    /// Both sides once; answers with how many events ours appended.
    async fn round(&mut self, run: &Run<'_>, warming: bool) -> Result<u64, Failure> {
        let time = if warming { run.warming() } else { run.arguments.time() };
        let watch = run.machine.quiet().await?;
        let (ours, callers) = drive(std::mem::take(&mut self.ours), time).await?;
        self.ours = callers;
        let (limit, callers) = drive(std::mem::take(&mut self.limit), time).await?;
        self.limit = callers;
        watch.end()?;
        let appended = ours.events;
        if !warming {
            self.measured.push(ours);
            self.limit_measured.push(limit);
        }
        Ok(appended)
    }

    async fn finish(self) -> Line {
        for batches in self.limit {
            batches.close().await;
        }
        let (callers, batch) = (self.callers, self.batch);
        let label = match callers {
            1 => "one caller, limit one row at a time".to_owned(),
            _ => format!("{callers} callers, limit in batches of {batch}"),
        };
        Line::new(label, callers, &self.measured, &self.limit_measured)
    }
}
