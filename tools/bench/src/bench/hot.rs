//! All callers on one stream, at whatever version it is: each append leaves a receipt.

use foldlog::{App, any};
use serde_json::json;

use crate::Failure;
use crate::account::{AccountEvent, AccountId};
use crate::bed::Bed;
use crate::callers::Caller;
use crate::pair::Pair;
use crate::plain::{self, HotBatches};
use crate::report::{Line, Report};
use crate::run::Run;
use crate::streams::Accounts;

const ACCOUNT: i64 = 0;
/// The one stream, and its first event.
pub(super) const STREAM: Accounts = Accounts { first: ACCOUNT, count: 1, version: 1 };

pub(super) struct HotAppender {
    app: App,
    calls: u64,
}

impl HotAppender {
    pub(super) fn several(app: &App, callers: usize) -> Vec<Self> {
        (0..callers).map(|_| Self { app: app.clone(), calls: 0 }).collect()
    }
}

impl Caller for HotAppender {
    async fn call(&mut self) -> Result<u64, Failure> {
        self.calls += 1;
        let event = AccountEvent::of(ACCOUNT, self.calls);
        self.app.append([any(&AccountId(ACCOUNT), event)]).await?;
        Ok(1)
    }
}

pub async fn measure(run: &Run<'_>) -> Result<Report, Failure> {
    let bed = Bed::open(run.server, "append_hot").await?;
    let clients = run.arguments.clients();
    let mut events = 1;
    bed.fill(STREAM).await?;
    plain::copy_store(bed.endpoint()).await?;
    let ours = HotAppender::several(bed.app(), clients);
    let limit = HotBatches::open(bed.endpoint(), (ACCOUNT, 1), clients.min(500)).await?;
    let mut pair = Pair::new(ours, vec![limit]);
    for round in 0..=run.arguments.rounds() {
        events += i64::try_from(pair.round(run, round).await?.ours)?;
    }
    bed.check(events).await?;
    let label = format!("{clients} callers, limit in batches of {}", clients.min(500));
    let lines = vec![Line::new(label, clients, &pair.measured, &pair.limit_measured)];
    let facts = vec![("connections", json!(bed.connections()))];
    drop(pair);
    bed.close(run.server).await?;
    Ok(Report {
        bench: "append-hot",
        limit: "one connection writing the same event and receipt rows and the stream's, in batches",
        lines,
        facts,
    })
}
