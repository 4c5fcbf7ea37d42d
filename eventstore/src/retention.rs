//! Retention: whole segments of the event store dropped.

use std::future::IntoFuture;
use std::time::Duration;

use foldlog_core::{BoxFuture, Error, ErrorKind, Position};
use foldlog_pg::segment::{self, Segment};
use foldlog_pg::{database, settled};
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};

use crate::call::number;
use crate::mark::check_reason;
use crate::read::signed;
use crate::store::EventStore;

/// How many streams are written to in one transaction.
const STREAMS_MAX: i32 = 500;
/// How long one try waits for a lock. Appends don't wait behind it.
const LOCK_TIMEOUT: &str = "1s";
const TRIES_MAX: u32 = 20;

/// Closed segments on their way out. Await it.
///
/// Segments go whole and from the first on, as far as all their positions lie before the one that was
/// given. Of each stream that had events there it is written down where it ends and where it begins now,
/// so that versions go on and readers are told of the cut.
///
/// It takes several transactions, and long on a large store; appends and readers go on meanwhile. Dropping
/// the future, or a crash, leaves it half done: nothing is wrong then, the space is not free yet, and the
/// same call goes on. Only the owner of the tables can.
///
/// # Errors
///
/// [`ErrorKind::Busy`] if a projection has not come so far, which is named, or a lock was not to be had;
/// [`ErrorKind::Invalid`] if a stream, which is named, has events there that it keeps; those of the database.
#[derive(Clone, Debug)]
#[must_use = "segments are dropped when this is awaited"]
pub struct Retention {
    store: EventStore,
    before: Position,
    reason: String,
    past_readers: bool,
    kept_too: bool,
}

/// What was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retired {
    /// The log begins with this position now.
    pub kept_from: Position,
    /// How many segments were dropped by this call.
    pub segments: u32,
}

impl EventStore {
    /// The segments of the event store: what they take, and which of them are closed and frozen.
    ///
    /// Dropping the future leaves nothing behind.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn segments(&self) -> Result<Vec<Segment>, Error> {
        let mut conn = self.acquire().await?;
        segment::list(&mut conn, settled::EVENT_LOG).await
    }

    /// Drops the segments before a position. The reason is kept with each stream that loses events by
    /// it.
    ///
    /// It is refused as long as a projection has not taken in what is in them, or a stream keeps an event
    /// there: one that is neither truncated nor tombstoned.
    pub fn drop_segments_before(&self, position: Position, reason: &str) -> Retention {
        let (store, reason) = (self.clone(), reason.to_owned());
        Retention { store, before: position, reason, past_readers: false, kept_too: false }
    }

    /// Freezes what was closed, a segment at a time.
    pub(crate) async fn freeze_segments(&self) -> Result<(), Error> {
        let mut conn = self.db().session("foldlog freeze").await?;
        while let Some(number) = segment::freeze(&mut conn, settled::EVENT_LOG).await? {
            tracing::info!(number, "a segment of the event store was frozen");
        }
        conn.close().await.map_err(|e| database("freeze segments", e))
    }
}

impl Retention {
    /// Also where projections have not come so far: one on its way stands still then, and says so by
    /// [`ErrorKind::Truncated`] in its warnings; retired and registered again, it begins with what is
    /// kept.
    pub fn past_readers(mut self) -> Self {
        self.past_readers = true;
        self
    }

    /// Also what streams keep there: they begin later then, and no state is folded from the rest.
    pub fn kept_too(mut self) -> Self {
        self.kept_too = true;
        self
    }

    async fn run(&self) -> Result<Retired, Error> {
        check_reason(&self.reason)?;
        let mut conn = self.store.db().session("foldlog retention").await?;
        let kept_from = self.begin(&mut conn).await?;
        self.write_streams(&mut conn).await?;
        let mut segments = 0;
        let mut tries = Tries::default();
        while let Some((statement, is_last)) = next(&mut conn).await? {
            let done = sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut conn).await;
            match done.map_err(|e| database("drop a segment", e)) {
                Ok(_) => segments += u32::from(is_last),
                // What was begun is ended by another statement.
                Err(error) => tries.pause_after(error).await?,
            }
        }
        conn.close().await.map_err(|e| database("drop segments", e))?;
        Ok(Retired { kept_from, segments })
    }

    async fn begin(&self, conn: &mut PgConnection) -> Result<Position, Error> {
        let what = "look which segments can be dropped";
        let row = sqlx::query(include_str!("../sql/retention_begin.sql"))
            .bind(signed(self.before.get()))
            .bind(self.past_readers)
            .bind(self.kept_too)
            .bind(LOCK_TIMEOUT)
            .fetch_one(conn)
            .await
            .map_err(|e| database(what, e))?;
        let read = || Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?));
        let (outcome, kept_from, name, position): (i16, i64, Option<String>, Option<i64>) =
            read().map_err(|e| database(what, e))?;
        let (name, position) = (name.unwrap_or_default(), position.unwrap_or_default());
        match outcome {
            0 => Ok(Position::new(number(kept_from))),
            1 => Err(Error::new(
                ErrorKind::Busy,
                format!(
                    "projection {name} is at position {position}, and segments before {} hold events \
                     that it has not taken in: wait for it, retire it, or drop them past all readers",
                    self.before
                ),
            )),
            _ => Err(Error::new(
                ErrorKind::Invalid,
                format!(
                    "stream {name} keeps its event at position {position}, in a segment before {}: \
                     truncate or tombstone it, or drop what is kept too",
                    self.before
                ),
            )),
        }
    }

    async fn write_streams(&self, conn: &mut PgConnection) -> Result<(), Error> {
        let (mut after, mut tries) = (0_i64, Tries::default());
        loop {
            let last = sqlx::query_scalar(include_str!("../sql/retention_streams.sql"))
                .bind(after)
                .bind(STREAMS_MAX)
                .bind(&self.reason)
                .fetch_one(&mut *conn)
                .await;
            match last.map_err(|e| database("write down where streams end", e)) {
                Ok(Some(last)) => after = last,
                Ok(None) => return Ok(()),
                Err(error) => tries.pause_after(error).await?,
            }
        }
    }
}

/// The next statement, and whether a segment is gone with it.
async fn next(conn: &mut PgConnection) -> Result<Option<(String, bool)>, Error> {
    sqlx::query_as(include_str!("../sql/retention_next.sql"))
        .fetch_optional(conn)
        .await
        .map_err(|e| database("look for the next segment to be dropped", e))
}

/// How often a lock was not to be had.
#[derive(Default)]
struct Tries(u32);

impl Tries {
    async fn pause_after(&mut self, error: Error) -> Result<(), Error> {
        self.0 += 1;
        if self.0 == TRIES_MAX || !matches!(error.kind(), ErrorKind::Busy | ErrorKind::Retry) {
            return Err(error);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        Ok(())
    }
}

impl IntoFuture for Retention {
    type Output = Result<Retired, Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.run().await })
    }
}
