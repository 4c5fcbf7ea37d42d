//! Commands and loads of an aggregate that has snapshots and is kept in a cache, among writers that
//! know nothing of it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use foldlog::{AggregateCache, App, ExecuteError, Executed};
use foldlog_core::ErrorKind;
use foldlog_pg::Db;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::book::Book;
use crate::domain::AccountId;
use crate::domain::account::{Account, Move};
use crate::draft::{Draft, DraftPart};
use crate::history::{Expect, Folded, Moment, Outcome, StateRead};
use crate::marker::marked_by;

/// A call that takes longer is given up: its future is dropped.
const PATIENCE: Duration = Duration::from_secs(6);
/// For so long an ambiguous command is repeated.
const INSISTENCE: Duration = Duration::from_secs(40);
/// Fewer than there are streams: what is kept changes.
const KEPT: usize = 40;
const PAUSE: Duration = Duration::from_millis(200);

pub struct Commander {
    pub db: Db,
    pub book: Arc<Book>,
    pub rng: Rng,
    pub rest: Duration,
}

type Answer = Result<Executed<(i64, u64)>, ExecuteError<Infallible>>;

impl Commander {
    /// Sends commands until told to stop.
    pub async fn run(mut self, stop: CancellationToken) {
        let cache = || AggregateCache::entries(KEPT).keep::<Account>();
        let app = loop {
            let builder = App::builder(self.db.clone()).aggregate::<Account>();
            let starting = builder.aggregate_cache(cache()).without_workers().start();
            match stop.run_until_cancelled(Box::pin(starting)).await {
                None => return,
                Some(Ok(app)) => break app,
                Some(Err(_)) => sleep(PAUSE).await,
            }
        };
        while !stop.is_cancelled() {
            if self.rng.bool() {
                self.command(&app).await;
            } else {
                self.load(&app).await;
            }
            sleep(self.rest.mul_f64(self.rng.f64())).await;
        }
        // Sessions that were lost are no trouble of ours.
        let _ended = app.shutdown().await;
    }

    /// A command, repeated under its id while nobody knows whether it was done.
    async fn command(&mut self, app: &App) {
        let (start, account) = (Instant::now(), self.account());
        let (number, id) = (self.book.number(), Uuid::new_v4());
        let count = self.rng.u64(1..5);
        let events = (0..count).map(|n| (Book::mark(number, n + 1), self.rng.i64(1..1_000)));
        let events: Vec<(u64, i64)> = events.collect();
        let part = DraftPart { account: account.clone(), expect: Expect::Any, events };
        let draft = Draft { number, id: Some(id), parts: vec![part] };
        loop {
            let begun = self.book.recorder.now();
            let command = Move(draft.parts.iter().flat_map(|part| part.events.clone()).collect());
            let executing = Box::pin(async { app.execute(&account, command).command_id(id).await });
            let answer = timeout(PATIENCE, executing).await;
            let outcome = answer.as_ref().map_or(Outcome::Unknown, |a| outcome(&self.book, a));
            self.book.append(draft.record(&self.book, begun, 0, outcome.clone()));
            // What it rested on was the state just before it.
            if let Ok(Ok(Executed { reply: (cents, events), version, repeated: false, .. })) =
                answer
            {
                let found = Folded::State { version: version - count, events, cents };
                self.note(&account, begun, found);
            }
            if outcome != Outcome::Unknown || start.elapsed() > INSISTENCE {
                return;
            }
            sleep(Duration::from_millis(self.rng.u64(1..200))).await;
        }
    }

    async fn load(&mut self, app: &App) {
        let account = self.account();
        let begun = self.book.recorder.now();
        let Ok(loaded) = timeout(PATIENCE, app.load(&account)).await else { return };
        let found = match loaded {
            Ok(loaded) => {
                let (version, Account { cents, events }) = (loaded.version, loaded.state);
                Folded::State { version, events, cents }
            }
            Err(error) => match error.kind() {
                ErrorKind::Truncated => Folded::Truncated { by: marked_by(&error) },
                _ if error.is_retryable() => return,
                _ => return self.book.surprise(format!("a load failed: {error:?}")),
            },
        };
        self.note(&account, begun, found);
    }

    fn note(&self, account: &AccountId, begun: Moment, found: Folded) {
        let (stream, ended) = (self.book.account(account), self.book.recorder.now());
        let read = StateRead { stream, begun, ended, found };
        self.book.recorder.write().states.push(read);
    }

    /// Half of them are truncated now and then.
    fn account(&mut self) -> AccountId {
        match self.rng.u8(..) {
            0..40 => AccountId(format!("hot{}", self.rng.u32(0..3))),
            _ => AccountId(format!("cold{}", self.rng.u32(20..60))),
        }
    }
}

fn outcome(book: &Book, answer: &Answer) -> Outcome {
    match answer {
        Ok(executed) => Outcome::Done {
            repeated: executed.repeated,
            versions: vec![executed.version],
            positions: vec![executed.token.position().get()],
        },
        // It expected nothing itself: others were faster, too often.
        Err(ExecuteError::Conflict { .. } | ExecuteError::Busy { .. }) => Outcome::Failed,
        Err(ExecuteError::Store(error)) => match error.kind() {
            ErrorKind::Unavailable => Outcome::Unknown,
            ErrorKind::Retry | ErrorKind::Busy | ErrorKind::Truncated => Outcome::Failed,
            kind @ (ErrorKind::Archived | ErrorKind::Tombstoned) => {
                Outcome::Closed { by: marked_by(error), forever: kind == ErrorKind::Tombstoned }
            }
            _ => {
                book.surprise(format!("a command failed: {error:?}"));
                Outcome::Unknown
            }
        },
        Err(error) => {
            book.surprise(format!("a command failed: {error:?}"));
            Outcome::Unknown
        }
    }
}
