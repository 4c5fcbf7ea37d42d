//! Appends with three tags each and a condition, beside the same appends without.

use foldlog::{
    App, AppendError, Condition, Error, ErrorKind, Event, Expected, Position, Query, RawEvent,
    Request, StreamEvents, StreamName, Tag, Tenant,
};
use serde_json::json;
use tokio::task::JoinSet;

use crate::Failure;
use crate::account::{AccountEvent, AccountId};
use crate::bed::Bed;
use crate::bench::append::{Appender, streams};
use crate::callers::Caller;
use crate::pair::Pair;
use crate::report::{Line, Report};
use crate::run::Run;
use crate::streams::{Accounts, Share};

/// How many conditions each caller has at hand before a round.
const READY: u64 = 1_000;
const READY_SMOKE: u64 = 50;

/// Appends an event under a number that nobody may have used before, as one gives out a unique name.
struct Conditional {
    app: App,
    share: Share,
    // The next numbers, and what was read of them before the clock ran.
    ready: Vec<(Tag, Condition)>,
    caller: usize,
    numbers: u64,
    late: u64,
    busy: u64,
}

impl Conditional {
    fn several(app: &App, accounts: Accounts, callers: usize) -> Vec<Self> {
        let shares = accounts.shares(callers).into_iter().enumerate();
        let conditional = |(caller, share)| Self {
            app: app.clone(),
            share,
            ready: Vec::new(),
            caller,
            numbers: 0,
            late: 0,
            busy: 0,
        };
        shares.map(conditional).collect()
    }

    /// Reads that the next number is free.
    async fn read(&mut self) -> Result<(), Failure> {
        self.numbers += 1;
        let tag = Tag::new("number", &format!("{}_{}", self.caller, self.numbers))?;
        let query = Query::of::<AccountEvent>().tagged(&tag);
        let tenant = Tenant::default();
        // Nobody has it, and nobody else will take it.
        let taken = |raw: &RawEvent, _: &[usize]| Err(Error::new(ErrorKind::Internal, raw.place()));
        let store = self.app.store();
        let condition = store.read_matching(&tenant, &query, Position::START, taken).await?;
        self.ready.push((tag, condition));
        Ok(())
    }

    async fn read_ahead(mut self, count: u64) -> Result<Self, Failure> {
        while (self.ready.len() as u64) < count {
            self.read().await?;
        }
        Ok(self)
    }

    fn request(&self, tag: &Tag, condition: &Condition) -> Result<Request, Failure> {
        let (account, version) = self.share.next();
        let mut event = AccountEvent::of(account, version + 1).encode()?;
        let day = Tag::new("day", &(version % 30).to_string())?;
        event.tags = vec![tag.clone(), Tag::new("account", &account.to_string())?, day];
        let name = StreamName::of::<AccountEvent>(&Tenant::default(), &AccountId(account))?;
        let events = StreamEvents::raw(name, Expected::Exact(version), vec![event]);
        Ok(Request::new([events])?.condition(condition.clone())?)
    }
}

impl Caller for Conditional {
    async fn call(&mut self) -> Result<u64, Failure> {
        if self.ready.is_empty() {
            self.late += 1;
            self.read().await?;
        }
        let (tag, condition) = self.ready.pop().ok_or("no condition was read")?;
        let request = self.request(&tag, &condition)?;
        loop {
            match self.app.store().append(&request).await {
                Ok(_) => break,
                Err(AppendError::Busy { .. } | AppendError::BoundaryBusy { .. }) => self.busy += 1,
                Err(error) => return Err(error.into()),
            }
        }
        self.share.advance();
        Ok(1)
    }
}

async fn read_ahead(callers: Vec<Conditional>, count: u64) -> Result<Vec<Conditional>, Failure> {
    let mut tasks = JoinSet::new();
    for caller in callers {
        tasks.spawn(caller.read_ahead(count));
    }
    let mut callers = Vec::new();
    while let Some(caller) = tasks.join_next().await {
        callers.push(caller??);
    }
    Ok(callers)
}

pub async fn measure(run: &Run<'_>) -> Result<Report, Failure> {
    let bed = Bed::open(run.server, "append_condition").await?;
    let clients = run.arguments.clients();
    let count = streams(run, clients);
    let accounts = Accounts { first: 0, count, version: 1 };
    let beside = Accounts { first: count, ..accounts };
    bed.fill(Accounts { first: 0, count: 2 * count, version: 1 }).await?;
    let ours = Conditional::several(bed.app(), accounts, clients);
    let mut pair = Pair::new(ours, Appender::several(bed.app(), beside, clients));
    let mut events = 2 * count;
    let ready = if run.arguments.smoke { READY_SMOKE } else { READY };
    for round in 0..=run.arguments.rounds() {
        pair.ours = read_ahead(std::mem::take(&mut pair.ours), ready).await?;
        let did = pair.round(run, round).await?;
        events += i64::try_from(did.ours + did.limit)?;
    }
    bed.check(events).await?;
    let late: u64 = pair.ours.iter().map(|caller| caller.late).sum();
    let busy: u64 = pair.ours.iter().map(|caller| caller.busy).sum();
    let facts = vec![
        ("connections", json!(bed.connections())),
        ("read_in_time", json!(late)),
        ("answered_busy", json!(busy)),
    ];
    let label = format!("{clients} callers, three tags and a condition each");
    let line = Line::new(label, clients, &pair.measured, &pair.limit_measured);
    drop(pair);
    bed.close(run.server).await?;
    Ok(Report {
        bench: "append-condition",
        limit: "the same callers without tags and conditions",
        lines: vec![line],
        facts,
    })
}
