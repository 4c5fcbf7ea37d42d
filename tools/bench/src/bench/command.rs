//! Commands: load 10 events, decide, append one; and the same where the cache saves the load.

use foldlog::{AggregateCache, App};
use serde_json::json;

use crate::Failure;
use crate::account::{Account, AccountId, Deposit, cents};
use crate::bed::Bed;
use crate::bench::append::{Appender, streams};
use crate::callers::Caller;
use crate::pair::Pair;
use crate::report::{Line, Report, rounded};
use crate::run::Run;
use crate::streams::{Accounts, Share, Untouched};

/// How many events a command loads.
pub const LOADED: u64 = 10;
/// How many streams the callers come back to, so that the cache has all of them after the first round.
const REGULAR: i64 = 1_024;
/// What is made ready for the first round, before the rate is known; per second of it.
const GUESS_PER_S: f64 = 5_000.0;

/// One of the callers: executes through the app, each time on a stream of 10 events.
pub struct Commander {
    app: App,
    untouched: Untouched,
    /// How many commands it executed, and how many events they loaded.
    pub executed: u64,
    pub loaded: u64,
}

impl Commander {
    pub fn several(app: &App, untouched: &Untouched, callers: usize) -> Vec<Self> {
        let one =
            || Self { app: app.clone(), untouched: untouched.clone(), executed: 0, loaded: 0 };
        (0..callers).map(|_| one()).collect()
    }
}

impl Caller for Commander {
    async fn call(&mut self) -> Result<u64, Failure> {
        let account = self.untouched.take();
        let done = self.app.execute(&AccountId(account), Deposit).await?;
        let balance: i64 = (1..=done.version).map(|version| cents(account, version)).sum();
        if done.reply != balance {
            let reply = done.reply;
            return Err(format!("account {account} answered {reply}, but holds {balance}").into());
        }
        self.executed += 1;
        self.loaded += done.version - 1;
        Ok(1)
    }
}

/// One of the callers of an app with a cache: comes back to streams of its own.
struct Regular {
    app: App,
    share: Share,
}

impl Caller for Regular {
    async fn call(&mut self) -> Result<u64, Failure> {
        let (account, version) = self.share.next();
        let done = self.app.execute(&AccountId(account), Deposit).await?;
        if done.version != version + 1 {
            let found = done.version;
            return Err(format!("account {account} came to version {found} after {version}").into());
        }
        self.share.advance();
        Ok(1)
    }
}

/// Streams for commands to come: as many as are left, or new ones at the end of the accounts.
pub struct Supply {
    pub untouched: Untouched,
    next: i64,
}

impl Supply {
    /// None yet; the first that is made will be this account.
    pub fn new(first: i64) -> Self {
        let none = Accounts { first, count: 0, version: LOADED };
        Self { untouched: Untouched::new(none), next: first }
    }

    /// Makes sure that so many a second will do for a round; answers with the events filled in.
    pub async fn ready(
        &mut self,
        bed: &Bed,
        run: &Run<'_>,
        per_s: Option<f64>,
    ) -> Result<i64, Failure> {
        let per_s = per_s.map_or(GUESS_PER_S, |per_s| per_s * 1.3);
        let time = if run.arguments.smoke { 0.1 } else { run.arguments.time().as_secs_f64() };
        let wanted = (per_s * time) as i64 + 100;
        if self.untouched.left() >= wanted {
            return Ok(0);
        }
        let accounts = Accounts { first: self.next, count: wanted, version: LOADED };
        bed.fill(accounts).await?;
        self.next += wanted;
        self.untouched.replace(accounts);
        Ok(wanted * i64::try_from(LOADED)?)
    }
}

/// How many events a command loaded, in the mean.
pub fn loaded_mean(callers: &[Commander]) -> f64 {
    let executed: u64 = callers.iter().map(|caller| caller.executed).sum();
    let loaded: u64 = callers.iter().map(|caller| caller.loaded).sum();
    loaded as f64 / executed.max(1) as f64
}

pub async fn measure(run: &Run<'_>) -> Result<Report, Failure> {
    let bed = Bed::open(run.server, "command").await?;
    let clients = run.arguments.clients();
    let accounts = Accounts { first: 0, count: streams(run, clients), version: 1 };
    bed.fill(accounts).await?;
    let mut events = accounts.count;
    let mut supply = Supply::new(accounts.count);
    let ours = Commander::several(bed.app(), &supply.untouched, clients);
    let mut pair = Pair::new(ours, Appender::several(bed.app(), accounts, clients));
    let mut per_s = None;
    for round in 0..=run.arguments.rounds() {
        events += supply.ready(&bed, run, per_s).await?;
        let did = pair.round(run, round).await?;
        events += i64::try_from(did.ours + did.limit)?;
        per_s = match round {
            0 => Some(did.ours as f64 / run.warming().as_secs_f64()),
            _ => Some(pair.measured.per_s()),
        };
    }
    bed.check(events).await?;
    let cached = with_cache(run, clients).await?;
    let facts = vec![
        ("connections", json!(bed.connections())),
        ("loaded_mean", json!(rounded(loaded_mean(&pair.ours)))),
    ];
    let label = format!("{clients} callers");
    let lines = vec![Line::new(label, clients, &pair.measured, &pair.limit_measured), cached];
    drop(pair);
    bed.close(run.server).await?;
    Ok(Report {
        bench: "command",
        limit: "the append of one event by the same callers, without load and decision",
        lines,
        facts,
    })
}

/// The same command where its state is in the cache, beside the appends of an app of its own.
async fn with_cache(run: &Run<'_>, clients: usize) -> Result<Line, Failure> {
    let regular = REGULAR.max(i64::try_from(clients)?);
    let cache = AggregateCache::entries(usize::try_from(2 * regular)?).keep::<Account>();
    let bed = Bed::open_with(run.server, "command_cached", |builder| {
        builder.aggregate::<Account>().aggregate_cache(cache)
    });
    let bed = bed.await?;
    let ours = Accounts { first: 0, count: regular, version: LOADED };
    let limit = Accounts { first: regular, count: streams(run, clients), version: 1 };
    bed.fill(ours).await?;
    bed.fill(limit).await?;
    let mut events = ours.count * i64::try_from(LOADED)? + limit.count;
    let shares = ours.shares(clients).into_iter();
    let callers = shares.map(|share| Regular { app: bed.app().clone(), share }).collect();
    let mut pair = Pair::new(callers, Appender::several(bed.app(), limit, clients));
    for round in 0..=run.arguments.rounds() {
        let did = pair.round(run, round).await?;
        events += i64::try_from(did.ours + did.limit)?;
    }
    bed.check(events).await?;
    let label = format!("{clients} callers, with the cache");
    let line = Line::new(label, clients, &pair.measured, &pair.limit_measured);
    drop(pair);
    bed.close(run.server).await?;
    Ok(line)
}
