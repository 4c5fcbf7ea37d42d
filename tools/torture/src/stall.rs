//! Appends that are held open on purpose, and transactions that must hold up nobody.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use foldlog_core::{Error, Filter, Position, Source as _};
use foldlog_eventstore::{EventStore, Request, any};
use foldlog_pg::database;
use sqlx::{Connection as _, PgConnection};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::book::Book;
use crate::domain::{AccountEvent, AccountId};
use crate::history::Stall;

/// Longer than anybody else holds an append open.
const PATIENCE: Duration = Duration::from_secs(25);
const POLL: Duration = Duration::from_millis(25);

pub struct Staller {
    /// Past the proxy: what it holds open is to stay open.
    pub store: EventStore,
    pub book: Arc<Book>,
    pub rng: Rng,
    pub rest: Duration,
}

impl Staller {
    /// Holds something open now and then, until told to stop. Where a fault comes between there is
    /// nothing to say.
    pub async fn run(mut self, stop: CancellationToken) {
        while stop.run_until_cancelled(sleep(self.rest)).await.is_some() {
            let appends = self.rng.bool();
            let stalled = stop.run_until_cancelled(self.stall(appends)).await;
            if let Some(Ok(Some(stall))) = stalled {
                self.book.recorder.write().stalls.push(stall);
            }
        }
    }

    async fn stall(&mut self, appends: bool) -> Result<Option<Stall>, Error> {
        let failed = |e| database("hold a transaction open", e);
        let mut conn = self.store.db().session("torture stall").await?;
        let pid: i32 = sqlx::query_scalar(include_str!("../sql/backend_pid.sql"))
            .fetch_one(&mut conn)
            .await
            .map_err(failed)?;
        let opened = self.book.recorder.now();
        let before = reached(&self.store, 0).await?;
        let mut tx = conn.begin().await.map_err(failed)?;
        if appends {
            self.append(&mut tx).await?;
        } else {
            sqlx::query(include_str!("../sql/business_insert.sql"))
                .bind("held open")
                .execute(&mut *tx)
                .await
                .map_err(failed)?;
        }
        let acknowledged = self.book.acknowledged();
        let (named, end) = if appends {
            (self.named(pid).await?, before)
        } else {
            (String::new(), self.passed(before, acknowledged).await?)
        };
        // Whether it lived so long: else nobody could have named it.
        let alive = sqlx::query(include_str!("../sql/backend_pid.sql")).execute(&mut *tx).await;
        tx.rollback().await.map_err(failed)?;
        Ok(alive.is_ok().then(|| Stall {
            holder: pid.to_string(),
            opened,
            closed: self.book.recorder.now(),
            named,
            appends,
            before,
            reached: end,
            acknowledged,
        }))
    }

    /// An append that is never committed, on a stream of its own.
    async fn append(&self, conn: &mut PgConnection) -> Result<(), Error> {
        let account = AccountId(format!("stall{}", self.book.number()));
        let event = AccountEvent::moved(Book::mark(self.book.number(), 1), 0);
        let request = Request::new([any::<AccountEvent>(&account, event)])?;
        match self.store.append_in(conn, &request).await {
            Ok(_) => Ok(()),
            Err(error) => Err(Error::new(foldlog_core::ErrorKind::Busy, error.to_string())),
        }
    }

    /// What readers are told while it is open. Others may have been open for longer: they are named
    /// first, and end.
    async fn named(&self, pid: i32) -> Result<String, Error> {
        let start = Instant::now();
        loop {
            let named = self.store.blocker().await?.unwrap_or_default();
            if named.contains(&format!("process {pid} ")) || start.elapsed() > PATIENCE {
                return Ok(named);
            }
            sleep(POLL).await;
        }
    }

    /// How far a reader gets while it is open.
    async fn passed(&self, before: u64, acknowledged: u64) -> Result<u64, Error> {
        let start = Instant::now();
        let mut place = before;
        while place < acknowledged && start.elapsed() < PATIENCE {
            place = reached(&self.store, place).await?;
            sleep(POLL).await;
        }
        Ok(place)
    }
}

/// How far a new reader sees, from a place on. It asks for nothing that is stored, so one page says.
async fn reached(store: &EventStore, place: u64) -> Result<u64, Error> {
    let mut reader = store.reader().await?;
    let filter = Filter::all().categories(&["none"] as &'static [&'static str]);
    Ok(reader.page(&filter, Position::new(place), 1).await?.through.get())
}
