//! A worker: brings one slice class of one projection up to date, and keeps it there.

mod bisect;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use foldlog_core::{Error, ErrorKind, Position, RawEvent, Source};
use foldlog_pg::{Db, ReadAhead};
use futures_util::FutureExt as _;
use sqlx::{Connection, PgConnection};
use tokio_util::sync::CancellationToken;

use crate::checkpoint::Claim;
use crate::progress::Progress;
use crate::registered::Registered;
use crate::stage::{Failure, Stage, panicked};

const PAGE_EVENTS: u32 = 2_000;
/// While it catches up, a worker commits when it has gathered so many events …
const BATCH_EVENTS: usize = 5_000;
/// … or so many bytes of payload …
const BATCH_BYTES: usize = 4 << 20;
/// … or for so long; and without events it moves its checkpoint no more often than this.
const BATCH_TIME: Duration = Duration::from_secs(1);
/// A round that followed the one before at once would fetch and commit a handful of events. So a
/// worker rests for a few times as long as its last round took: next to nothing on a server at ease,
/// longer on one that is busy, where larger batches relieve it. After a pause there is no rest, nor
/// while somebody waits.
const REST_FACTOR: u32 = 4;
const REST_MAX: Duration = Duration::from_millis(100);
/// After so long without an answer the server is taken for gone: a host that vanishes says nothing.
const STALL: Duration = Duration::from_secs(300);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What the workers of a process share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) db: Db,
    pub(crate) source: Arc<dyn Source>,
    pub(crate) progress: Arc<Progress>,
}

pub(crate) struct Worker {
    pub(crate) shared: Shared,
    pub(crate) registered: Arc<Registered>,
    pub(crate) claim: Claim,
}

/// Why a worker ended.
#[derive(Debug)]
pub(crate) enum End {
    /// It was told to.
    Shutdown,
    /// Another worker has claimed the class.
    Fenced,
    /// An event can't be applied.
    Stopped { at: Position, why: String },
}

/// One connection's worth of work: everything in it is forgotten when the connection fails.
struct Session {
    conn: PgConnection,
    reader: ReadAhead,
    stage: Box<dyn Stage>,
    // How far this reader has seen; events up to there wait in the batch.
    seen: Position,
    batch: Vec<RawEvent>,
    batch_bytes: usize,
    batch_since: Instant,
}

impl Worker {
    /// Works until `stop`, or until it has to end. Progress is what was committed: dropping the
    /// future at any point loses no more than the work since.
    pub(crate) async fn run(mut self, stop: CancellationToken) -> End {
        let mut pause = FIRST_PAUSE;
        loop {
            let before = self.claim.position;
            let error = match self.session(&stop).await {
                Ok(end) => return self.finish(end).await,
                Err(Failure::Fenced) => return self.finish(End::Fenced).await,
                Err(Failure::Transient(error)) => error.to_string(),
                // What fails outside of a batch is no event's fault either.
                Err(Failure::Poison(error)) => error,
            };
            if self.claim.position > before {
                pause = FIRST_PAUSE;
            }
            tracing::warn!(
                projection = self.registered.name(), class = %self.claim.class, error,
                "a projection was interrupted; it goes on from its checkpoint in {pause:?}"
            );
            if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                return self.finish(End::Shutdown).await;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn session(&mut self, stop: &CancellationToken) -> Result<End, Failure> {
        let mut session = self.open().await?;
        let hurry = self.shared.progress.hurry(self.claim.name, self.claim.class);
        loop {
            let (woken, begun) = (self.shared.source.woken(), Instant::now());
            let page = tokio::time::timeout(STALL, session.reader.page());
            let Some(page) = stop.run_until_cancelled(page).await else {
                return Ok(End::Shutdown);
            };
            let page = page.map_err(|_| stalled())??;
            session.gather(page.events, page.through);
            if session.is_due(page.more)
                && let Some(end) = self.commit(&mut session).await?
            {
                return Ok(end);
            }
            if page.more && !stop.is_cancelled() {
                continue;
            }
            let rest = (begun.elapsed() * REST_FACTOR).min(REST_MAX);
            let rested = tokio::time::sleep(rest);
            let next = async {
                woken.await;
                tokio::select! {
                    () = rested => {}
                    () = hurry.notified() => {}
                }
            };
            if stop.run_until_cancelled(next).await.is_none() {
                return Ok(End::Shutdown);
            }
        }
    }

    async fn open(&mut self) -> Result<Session, Failure> {
        let mut conn = self.shared.db.session("foldlog projection").await?;
        self.claim.refresh(&mut conn).await?;
        self.shared.progress.forget(self.claim.name, self.claim.class);
        self.publish();
        let reader = self.shared.source.reader().await?;
        let filter = self.registered.filter(self.claim.class);
        Ok(Session {
            conn,
            reader: ReadAhead::new(reader, filter, self.claim.position, PAGE_EVENTS),
            stage: self.registered.stage(),
            seen: self.claim.position,
            batch: Vec::new(),
            batch_bytes: 0,
            batch_since: Instant::now(),
        })
    }

    /// Commits what the session has gathered, or only the checkpoint if it saw no event.
    async fn commit(&mut self, session: &mut Session) -> Result<Option<End>, Failure> {
        let events = std::mem::take(&mut session.batch);
        session.batch_bytes = 0;
        session.batch_since = Instant::now();
        if events.is_empty() {
            if session.seen > self.claim.position {
                self.claim.commit(&mut session.conn, session.seen).await?;
                self.moved(session.seen);
            }
            return Ok(None);
        }
        self.apply_all(session, &events).await
    }

    /// One transaction: the writes, and last the checkpoint.
    async fn attempt(
        &mut self,
        session: &mut Session,
        events: &[RawEvent],
        through: Position,
    ) -> Result<(), Failure> {
        let what = "commit a batch of a projection";
        let database = |e| Failure::from(foldlog_pg::database(what, e));
        let mut tx = session.conn.begin().await.map_err(database)?;
        // Whatever code of the user's runs in there: a panic is a failure of these events.
        let applied = AssertUnwindSafe(session.stage.apply(&mut tx, events)).catch_unwind();
        let applied = match applied.await.unwrap_or_else(|panic| Err(panicked(&*panic))) {
            Ok(()) => self.claim.commit(&mut tx, through).await,
            Err(failure) => Err(failure),
        };
        if let Err(failure) = applied {
            tx.rollback().await.map_err(database)?;
            return Err(failure);
        }
        tx.commit().await.map_err(database)?;
        self.moved(through);
        Ok(())
    }

    fn moved(&mut self, to: Position) {
        self.claim.position = to;
        self.publish();
    }

    fn publish(&self) {
        self.shared.progress.publish(self.claim.name, self.claim.class, self.claim.position);
    }

    async fn finish(&self, end: End) -> End {
        let (name, class) = (self.registered.name(), self.claim.class);
        match &end {
            End::Shutdown => tracing::debug!(projection = name, %class, "released"),
            End::Fenced => {
                tracing::info!(projection = name, %class, "another worker has taken over");
                return end;
            }
            End::Stopped { why, .. } => tracing::error!(
                projection = name, %class,
                "the projection stopped at {why}; mend the cause and start again"
            ),
        }
        if let Err(error) = self.release(&end).await {
            tracing::warn!(projection = name, %class, %error, "the lease has to run out by itself");
        }
        end
    }

    async fn release(&self, end: &End) -> Result<(), Error> {
        let mut conn = self.shared.db.session("foldlog projection").await?;
        let stopped = match end {
            End::Stopped { at, why } => Some((*at, why.as_str())),
            End::Shutdown | End::Fenced => None,
        };
        self.claim.release(&mut conn, stopped).await
    }
}

fn stalled() -> Failure {
    let text = format!("the server did not answer for {} s", STALL.as_secs());
    Failure::Transient(Error::new(ErrorKind::Unavailable, text))
}

impl Session {
    fn gather(&mut self, events: Vec<RawEvent>, through: Position) {
        if self.batch.is_empty() && !events.is_empty() {
            self.batch_since = Instant::now();
        }
        self.batch_bytes += events.iter().map(|event| event.payload.get().len()).sum::<usize>();
        self.batch.extend(events);
        self.seen = through;
    }

    /// Whether it is time to commit: with events at once when there are no more to gather, and
    /// without them now and then.
    fn is_due(&self, more: bool) -> bool {
        let old = self.batch_since.elapsed() >= BATCH_TIME;
        if self.batch.is_empty() {
            return old;
        }
        !more || old || self.batch.len() >= BATCH_EVENTS || self.batch_bytes >= BATCH_BYTES
    }
}
