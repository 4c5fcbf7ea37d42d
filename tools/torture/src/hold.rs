//! A stranger's transaction holds a stream on purpose, while one process appends to it and, in groups
//! with that, to streams that nobody holds.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use foldlog_core::Error;
use foldlog_eventstore::EventStore;
use foldlog_pg::{Db, database};
use futures_util::future::{join, join_all};
use sqlx::Connection as _;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::book::{Book, stream_name};
use crate::domain::AccountId;
use crate::draft::{Draft, DraftPart, outcome};
use crate::history::{Expect, Hold, Neighbour, Outcome};

/// For so long the stream is held: longer than an append beside it may take.
const HELD: Duration = Duration::from_secs(4);
/// Longer than a stream is waited for, so that an append ends by itself.
const PATIENCE: Duration = Duration::from_secs(12);
/// Between two appends to one stream.
const REST: Duration = Duration::from_millis(150);
/// Enough to meet the held stream in every line of appends.
const NEIGHBOURS: u32 = 6;
/// How many callers wait for the stream that is held.
const WAITING: u32 = 3;

pub struct Holder {
    /// Past the proxy.
    pub url: String,
    pub book: Arc<Book>,
    pub rng: Rng,
    pub rest: Duration,
}

impl Holder {
    /// Holds a stream now and then, until told to stop. Where a fault comes between there is nothing
    /// to say.
    pub async fn run(mut self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            if let Ok(store) = self.open().await {
                let (ends, working) = (CancellationToken::new(), store.clone());
                let grouped = working.run(ends.clone());
                let holding = async {
                    while stop.run_until_cancelled(sleep(self.rest)).await.is_some() {
                        if let Ok(Some(hold)) = self.hold(&store).await {
                            self.book.recorder.write().holds.push(hold);
                        }
                    }
                    ends.cancel();
                };
                let _ended = Box::pin(join(grouped, holding)).await;
                store.db().clone().close().await;
            }
            let _stopped = stop.run_until_cancelled(sleep(REST)).await;
        }
    }

    async fn open(&self) -> Result<EventStore, Error> {
        EventStore::open(&Db::connect(&self.url).await?).await
    }

    async fn hold(&mut self, store: &EventStore) -> Result<Option<Hold>, Error> {
        let failed = |e| database("hold a stream", e);
        let account = AccountId(format!("held{}", self.rng.u32(0..4)));
        let name = stream_name(&account);
        if self.append(store, &account).await.is_none() {
            return Ok(None);
        }
        let mut conn = store.db().session("torture hold").await?;
        let mut tx = conn.begin().await.map_err(failed)?;
        let id: i64 = sqlx::query_scalar(include_str!("../sql/stream_find.sql"))
            .bind(name.as_str())
            .fetch_one(&mut *tx)
            .await
            .map_err(failed)?;
        sqlx::query(include_str!("../sql/stream_lock.sql"))
            .bind(id)
            .execute(&mut *tx)
            .await
            .map_err(failed)?;
        let opened = self.book.recorder.now();
        let held = CancellationToken::new();
        let waiting = join_all((0..WAITING).map(|_| self.append(store, &account)));
        let beside = join_all((0..NEIGHBOURS).map(|n| self.beside(store, n, &held)));
        let holding = async {
            sleep(HELD).await;
            // Whether it lived so long: else nobody was held up.
            let alive = sqlx::query(include_str!("../sql/backend_pid.sql")).execute(&mut *tx).await;
            let closed = self.book.recorder.now();
            held.cancel();
            let ended = tx.rollback().await;
            (alive.is_ok() && ended.is_ok()).then_some(closed)
        };
        let (_, (beside, closed)) = join(waiting, join(beside, holding)).await;
        let neighbours = beside.into_iter().flatten().collect();
        let stream = self.book.account(&account);
        Ok(closed.map(|closed| Hold { stream, opened, closed, neighbours }))
    }

    /// Appends to a stream of its own, one append after another.
    async fn beside(
        &self,
        store: &EventStore,
        number: u32,
        held: &CancellationToken,
    ) -> Vec<Neighbour> {
        let account = AccountId(format!("free{number}"));
        let stream = self.book.account(&account);
        let mut neighbours = Vec::new();
        while held.run_until_cancelled(sleep(REST)).await.is_some() {
            let begun = self.book.recorder.now();
            let acknowledged = self.append(store, &account).await.is_some();
            let ended = self.book.recorder.now();
            neighbours.push(Neighbour { stream, begun, ended, acknowledged });
        }
        neighbours
    }

    /// One event; nothing if it was not acknowledged.
    async fn append(&self, store: &EventStore, account: &AccountId) -> Option<()> {
        let number = self.book.number();
        let events = vec![(Book::mark(number, 1), 1)];
        let parts = vec![DraftPart { account: account.clone(), expect: Expect::Any, events }];
        let draft = Draft { number, id: None, parts };
        let (request, begun) = (draft.request(), self.book.recorder.now());
        let result = timeout(PATIENCE, store.append(&request)).await;
        let outcome = result.map_or(Outcome::Unknown, |result| outcome(&self.book, &result));
        let done = matches!(outcome, Outcome::Done { .. });
        self.book.append(draft.record(&self.book, begun, 0, outcome));
        done.then_some(())
    }
}
