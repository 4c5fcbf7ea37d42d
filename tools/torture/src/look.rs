//! Looks: reads of single streams, of views and of everything at once, while the rest goes on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use foldlog_core::{Error, RawEvent, Tenant};
use foldlog_eventstore::EventStore;
use foldlog_pg::database;
use foldlog_projections::{Projections, ReadError};
use sqlx::Row as _;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::book::{Book, stream_name};
use crate::domain::{self, AccountId, Balance, unsigned};
use crate::history::{Load, LoadKind, Sum, ViewShot};

const PATIENCE: Duration = Duration::from_secs(5);
const EVENTS_MAX: u32 = 4_000;

pub struct Looker {
    pub store: EventStore,
    pub projections: Projections,
    pub book: Arc<Book>,
    pub rng: Rng,
    pub rest: Duration,
}

impl Looker {
    /// Looks until told to stop. A look that a fault broke off says nothing.
    pub async fn run(mut self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            if let Ok(Err(error)) = timeout(PATIENCE, self.look()).await
                && !error.is_retryable()
            {
                self.book.surprise(format!("a look failed: {error:?}"));
            }
            sleep(self.rest.mul_f64(self.rng.f64())).await;
        }
    }

    async fn look(&mut self) -> Result<(), Error> {
        let begun = self.book.recorder.now();
        match self.rng.u32(0..100) {
            0..30 => self.state(begun).await,
            30..85 => self.view(begun).await,
            85..93 => self.sum(begun).await,
            _ => self.shot(begun).await,
        }
    }

    async fn state(&mut self, begun: u64) -> Result<(), Error> {
        let account = AccountId(format!("cold{}", self.rng.u32(0..40)));
        let page = self.store.read_stream(&stream_name(&account), 0, EVENTS_MAX).await?;
        if !page.more && page.cut.is_none() {
            self.note(begun, LoadKind::State, &account, page.version, cents(&page.events));
        }
        Ok(())
    }

    async fn view(&mut self, begun: u64) -> Result<(), Error> {
        let account = match self.rng.u8(..) {
            0..120 => AccountId(format!("hot{}", self.rng.u32(0..3))),
            _ => AccountId(format!("cold{}", self.rng.u32(0..40))),
        };
        let view = self.projections.view::<Balance>(Tenant::default());
        let (kind, row) = match self.rng.u32(0..3) {
            0 => (LoadKind::Fresh, view.fresh(&account).await?),
            1 => {
                let acknowledged = self.book.acknowledged();
                let token = self.store.token(foldlog_core::Position::new(acknowledged));
                let read = view.at_least(&token).timeout(PATIENCE).get(&account).await;
                let Some(row) = told(read)? else { return Ok(()) };
                (LoadKind::AtLeast(acknowledged), row)
            }
            _ => {
                let Some(row) = told(view.get(&account).await)? else { return Ok(()) };
                (LoadKind::AsItIs, row)
            }
        };
        let (version, cents) = row.map_or((0, 0), |row| (unsigned(row.events), row.cents));
        self.note(begun, kind, &account, version, cents);
        Ok(())
    }

    fn note(&self, begun: u64, kind: LoadKind, account: &AccountId, version: u64, cents: i64) {
        let (stream, ended) = (self.book.account(account), self.book.recorder.now());
        let load = Load { kind, begun, ended, stream, version, cents };
        self.book.recorder.write().loads.push(load);
    }

    async fn sum(&mut self, begun: u64) -> Result<(), Error> {
        let failed = |e| database("sum up all events", e);
        let row = sqlx::query(include_str!("../sql/event_sum.sql"))
            .fetch_one(self.store.db().own_pool())
            .await
            .map_err(failed)?;
        let cents: i64 = row.try_get(0).map_err(failed)?;
        let events: i64 = row.try_get(1).map_err(failed)?;
        let ended = self.book.recorder.now();
        self.book.recorder.write().sums.push(Sum { begun, ended, cents, events: unsigned(events) });
        Ok(())
    }

    async fn shot(&mut self, begun: u64) -> Result<(), Error> {
        let view = if self.rng.bool() { "balance" } else { "bucket" };
        let shot = shoot(&self.store, view).await?;
        let ended = self.book.recorder.now();
        self.book.recorder.write().shots.push(ViewShot { begun, ended, ..shot });
        Ok(())
    }
}

/// A view with its checkpoints, in one statement and so in one snapshot.
///
/// # Errors
///
/// Those of the database.
pub async fn shoot(store: &EventStore, view: &str) -> Result<ViewShot, Error> {
    let failed = |e| database("read a view with its checkpoints", e);
    let statement = match view {
        "balance" => include_str!("../sql/balance_shoot.sql"),
        _ => include_str!("../sql/bucket_shoot.sql"),
    };
    let rows = sqlx::query(statement).fetch_all(store.db().own_pool()).await.map_err(failed)?;
    let mut shot = ViewShot {
        view: view.to_owned(),
        begun: 0,
        ended: 0,
        checkpoints: Vec::new(),
        rows: BTreeMap::new(),
    };
    for row in rows {
        let key: Option<String> = row.try_get(0).map_err(failed)?;
        let (one, two, three): (i64, i64, i64) = (
            row.try_get(1).map_err(failed)?,
            row.try_get(2).map_err(failed)?,
            row.try_get(3).map_err(failed)?,
        );
        match key {
            Some(key) => {
                shot.rows.insert(key, (one, unsigned(two)));
            }
            None => shot.checkpoints.push((
                u16::try_from(one).unwrap_or(0),
                u16::try_from(two).unwrap_or(0),
                unsigned(three),
            )),
        }
    }
    Ok(shot)
}

/// What a read told, or nothing if the view is stale: under faults it may be.
fn told<T>(read: Result<T, ReadError>) -> Result<Option<T>, Error> {
    match read {
        Ok(row) => Ok(Some(row)),
        Err(ReadError::Store(error)) => Err(error),
        Err(_) => Ok(None),
    }
}

fn cents(events: &[RawEvent]) -> i64 {
    events.iter().filter_map(domain::told).map(|told| told.cents).sum()
}
