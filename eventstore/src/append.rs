//! Appending: one call of the append function, and what its answer means.

use std::time::{Duration, Instant};

use foldlog_core::{Error, ErrorKind, Expected, Position, StreamName, Token};
use foldlog_pg::{constraint, database, sqlstate};
use serde_json::value::RawValue;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use crate::call::{Answer, Columns, Outcome};
use crate::level::{self, is_at_another};
use crate::request::Request;
use crate::store::EventStore;

/// How long an append of its own waits for a lock before it answers `Busy`.
pub(crate) const LOCK_WAIT_MS: i32 = 10_000;
/// How long one call waits for a boundary before it lets its streams go and is made again: whoever holds
/// the boundary may be waiting for one of them, and no deadlock is found where nobody queues.
pub(crate) const BOUNDARY_WAIT_MS: i32 = 500;
/// The append function does not find a type or a category: this process remembers what was lost.
pub(crate) const UNKNOWN_TYPE: &str = "FL007";
/// A transaction with an old snapshot can't vouch for a stream's version in a new segment.
const UNTOUCHED: &str = "FL008";
/// How often an append of its own is repeated when the server went away or broke it off.
const ATTEMPTS_MAX: u32 = 6;

/// What an append came to.
#[derive(Clone, Debug)]
pub struct Appended {
    /// Each stream of the request, in its order.
    pub streams: Vec<StreamAppended>,
    /// A view read `at_least` this token holds the whole append.
    pub token: Token,
    /// Whether the request was recognised as one made before; the rest is then the answer of then.
    pub repeated: bool,
    /// The reply on the receipt of a repeated request.
    pub reply: Option<Box<RawValue>>,
}

/// What an append did to one stream.
#[derive(Clone, Debug)]
pub struct StreamAppended {
    /// The stream.
    pub stream: StreamName,
    /// Its version after the append.
    pub version: u64,
    /// The position of the append's last event in it; `None` if it put no event there.
    pub position: Option<Position>,
}

/// Why nothing was appended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// A stream is not at the version that was expected. [`EventStore::since`] tells what came in
    /// between.
    #[error("stream {stream} is at version {actual}, expected {expected}")]
    Conflict {
        /// The first stream of which the expectation failed.
        stream: StreamName,
        /// What was expected.
        expected: Expected,
        /// The version it is at.
        actual: u64,
    },
    /// An event stands that the condition's query selects, and that its read did not see.
    #[error("an event at position {position} stands against the condition of the append")]
    ConditionFailed {
        /// The position of the first of them.
        position: Position,
    },
    /// A lock was not to be had in time.
    #[error("stream {stream} is locked by another transaction")]
    Busy {
        /// The stream, or the first of several.
        stream: StreamName,
        /// The process that holds it, if known.
        pid: Option<i32>,
    },
    /// A lock of a boundary was not to be had in time: another append is tagged by what the condition
    /// is on, or a condition is on what the append is tagged by.
    #[error("the boundary of the append is locked by another transaction")]
    BoundaryBusy {
        /// The process that holds it, if known.
        pid: Option<i32>,
    },
    /// Everything else.
    #[error(transparent)]
    Store(#[from] Error),
}

impl AppendError {
    /// Whether it proves that an earlier attempt at the same append, of which nobody knows, has not
    /// been made and won't be: the request can't succeed, or a version has passed the one it expects,
    /// for a version only rises. A stream may reach another version a moment later, a lock may be had,
    /// and what kept this attempt from the stream (a server without writes, a closed pool) says
    /// nothing of the one before.
    fn is_final(&self) -> bool {
        match self {
            Self::Conflict { expected, actual, .. } => match expected {
                Expected::NoStream => true,
                Expected::Exact(version) => actual > version,
                Expected::Any | Expected::Exists => false,
            },
            // The event stays. An attempt that judged before it was there holds a lock until it is
            // done, and would then have been recognised.
            Self::ConditionFailed { .. } => true,
            Self::Busy { .. } | Self::BoundaryBusy { .. } => false,
            // An archived stream may be opened again.
            Self::Store(error) => matches!(
                error.kind(),
                ErrorKind::IdReused | ErrorKind::Invalid | ErrorKind::Tombstoned
            ),
        }
    }

    fn has_kind(&self, kind: ErrorKind) -> bool {
        matches!(self, Self::Store(error) if error.kind() == kind)
    }
}

impl EventStore {
    /// Appends in a transaction of its own, and wakes readers.
    ///
    /// If the connection is lost meanwhile, the append is repeated: its events have ids, so it can't
    /// happen twice. Dropping the future leaves it done or not done, never in part; appending again
    /// with the same [`Request::id`] finds out.
    ///
    /// # Errors
    ///
    /// [`AppendError`]; `Store` with [`ErrorKind::IdReused`] if the id stands for other content, with
    /// [`ErrorKind::Archived`] or [`ErrorKind::Tombstoned`] if a stream was closed, and with
    /// [`ErrorKind::Unavailable`] if nobody knows whether it was made: the same request may be appended
    /// again. [`ErrorKind::Internal`] vouches for nothing. Every other error means that this call has
    /// not made it, and won't; an earlier call of which nobody knows still may.
    pub async fn append(&self, request: &Request) -> Result<Appended, AppendError> {
        let mut attempt = 1;
        // The error of an attempt that the server may yet have made, or be making.
        let mut unknown: Option<AppendError> = None;
        loop {
            let error = match self.append_once(request).await {
                Ok(appended) => {
                    self.appended();
                    return Ok(appended);
                }
                Err(error) => error,
            };
            let is_unknown = error.has_kind(ErrorKind::Unavailable);
            // Not where a lock was waited for: that was long enough.
            let again = is_unknown || error.has_kind(ErrorKind::Retry);
            if !again || attempt == ATTEMPTS_MAX {
                return Err(match unknown {
                    Some(before) if !error.is_final() => {
                        tracing::debug!(%error, "an append stays unknown after a last attempt");
                        before
                    }
                    _ => error,
                });
            }
            tracing::debug!(%error, attempt, "an append is repeated");
            tokio::time::sleep(Duration::from_millis(10 << attempt)).await;
            attempt += 1;
            if is_unknown {
                unknown = Some(error);
            }
        }
    }

    async fn append_once(&self, request: &Request) -> Result<Appended, AppendError> {
        let types = match self.types().known(request) {
            Some(types) => types,
            None => {
                let mut conn = self.acquire().await?;
                let types = self.types().resolve(&mut conn, request, true).await;
                types.map_err(|error| refused(request, error))?
            }
        };
        match self.group().append(request, &types).await {
            Some(result) => result,
            None => self.append_alone(request, &types).await,
        }
    }

    /// A call of its own, on a connection of the pool.
    async fn append_alone(
        &self,
        request: &Request,
        types: &[i32],
    ) -> Result<Appended, AppendError> {
        let patience = Duration::from_millis(LOCK_WAIT_MS.unsigned_abs().into());
        let wait_ms = if request.has_boundary() { BOUNDARY_WAIT_MS } else { LOCK_WAIT_MS };
        let since = Instant::now();
        let (mut ensured, mut committed) = (false, false);
        loop {
            match self.call_once(request, types, wait_ms, committed).await {
                Err(AppendError::Store(error)) if is_missing_segment(&error) && !ensured => {
                    self.ensure_segments().await?;
                    ensured = true;
                }
                Err(AppendError::Busy { .. } | AppendError::BoundaryBusy { .. })
                    if request.has_boundary() && since.elapsed() < patience => {}
                Err(AppendError::Store(error)) if is_at_another(&error) && !committed => {
                    committed = true;
                }
                result => return result,
            }
        }
    }

    /// One call and its commit, at read committed or at the database's default.
    async fn call_once(
        &self,
        request: &Request,
        types: &[i32],
        wait_ms: i32,
        is_committed: bool,
    ) -> Result<Appended, AppendError> {
        let mut conn = self.acquire().await?;
        if !is_committed {
            return self.call(&mut conn, request, types, Some(wait_ms)).await;
        }
        let failed = |e| AppendError::from(database("append", e));
        let mut tx = level::committed(&mut conn).await.map_err(failed)?;
        let appended = self.call(&mut tx, request, types, Some(wait_ms)).await?;
        tx.commit().await.map_err(failed)?;
        Ok(appended)
    }

    /// Appends in the caller's transaction, at any isolation level. Readers see it after the commit.
    ///
    /// A conflict leaves the transaction usable. Locks are waited for as the transaction's own
    /// `lock_timeout` says. The rows of the streams stay locked until the transaction ends, and
    /// readers of the store wait behind it: append late, commit soon.
    ///
    /// # Errors
    ///
    /// [`AppendError`]; `Store` with [`ErrorKind::Retry`] if PostgreSQL broke the transaction off.
    pub async fn append_in(
        &self,
        conn: &mut PgConnection,
        request: &Request,
    ) -> Result<Appended, AppendError> {
        self.touch_streams().await?;
        let types = self.types().resolve(conn, request, false).await;
        let types = types.map_err(|error| refused(request, error))?;
        let result = self.call(conn, request, &types, None).await;
        self.after_call_in(request, result).await
    }

    /// What a call in the caller's transaction came to, and what must be mended before the next one.
    pub(crate) async fn after_call_in(
        &self,
        request: &Request,
        result: Result<Appended, AppendError>,
    ) -> Result<Appended, AppendError> {
        match result {
            Err(AppendError::Store(error)) if is_missing_segment(&error) => {
                // On another session: the caller's transaction can only be rolled back.
                self.ensure_segments().await?;
                let message = "append: the segments made ahead were used up, and new ones have \
                               been made; run the transaction again";
                Err(Error::new(ErrorKind::Retry, message).with_source(error).into())
            }
            Err(AppendError::Store(error)) if sqlstate(&error) == Some(UNKNOWN_TYPE) => {
                // Likewise. What a transaction makes itself is not remembered, so a process that has
                // no others would make it in each. Where it fails here, the next one does.
                if let Err(error) = self.ensure_types(request).await {
                    tracing::debug!(%error, "event types that were lost could not be made again");
                }
                let message = "append: event types that this process remembered were lost, as in a \
                               failover, and are made again; run the transaction again";
                Err(Error::new(ErrorKind::Retry, message).with_source(error).into())
            }
            Err(AppendError::Store(error)) if sqlstate(&error) == Some(UNTOUCHED) => {
                self.touch_later(request);
                Err(error.into())
            }
            result => result,
        }
    }

    async fn call(
        &self,
        conn: &mut PgConnection,
        request: &Request,
        types: &[i32],
        wait_ms: Option<i32>,
    ) -> Result<Appended, AppendError> {
        let mut columns = Columns::default();
        columns.push(request, types);
        let columns = columns.finish();
        let rows = sqlx::query(include_str!("../sql/append.sql"))
            .bind(wait_ms)
            .bind(columns.tenants)
            .bind(columns.ids)
            .bind(columns.hashes)
            .bind(columns.replies)
            .bind(columns.stream_requests)
            .bind(columns.names)
            .bind(columns.expected)
            .bind(columns.event_streams)
            .bind(columns.event_ids)
            .bind(columns.types)
            .bind(columns.payloads)
            .bind(columns.metadata)
            .bind(columns.tags)
            .bind(columns.item_requests)
            .bind(columns.item_types)
            .bind(columns.item_tags)
            .bind(columns.item_after)
            .bind(columns.item_seen)
            .fetch_all(conn)
            .await
            .map_err(|e| database("append", e));
        let rows = rows.map_err(|error| self.failed(request, error))?;
        let rows = rows.iter().map(answer).collect::<Result<Vec<_>, _>>();
        let rows = rows.map_err(|e| database("read the answer of an append", e))?;
        self.answered(request, &rows)
    }

    /// A call that the server refused.
    pub(crate) fn failed(&self, request: &Request, error: Error) -> AppendError {
        if sqlstate(&error) == Some(UNKNOWN_TYPE) {
            self.types().forget();
        }
        refused(request, error)
    }

    /// A call that the server answered.
    pub(crate) fn answered(
        &self,
        request: &Request,
        rows: &[Answer],
    ) -> Result<Appended, AppendError> {
        match self.outcome(request, rows) {
            Outcome::Appended(appended) => Ok(appended),
            Outcome::Refused(error) => Err(error),
            // It waits, so it does not say so.
            Outcome::Busy(place) => Err(busy(request, place, None)),
        }
    }
}

fn answer(row: &PgRow) -> Result<Answer, sqlx::Error> {
    Ok(Answer {
        request: row.try_get("request")?,
        outcome: row.try_get("outcome")?,
        version: row.try_get("version")?,
        first_position: row.try_get("first_position")?,
        last_position: row.try_get("last_position")?,
        reply: row.try_get("reply")?,
    })
}

/// The answer of an append that waited long enough: for the stream at this place, or at none for its
/// boundary.
pub(crate) fn busy(request: &Request, place: Option<usize>, pid: Option<i32>) -> AppendError {
    match place.map(|place| request.streams.get(place)) {
        Some(Some(part)) => AppendError::Busy { stream: part.name.clone(), pid },
        Some(None) => Error::new(ErrorKind::Busy, "an append without a stream").into(),
        // Who waits for an id or for a row, and not for a boundary, is told so by an error.
        None => AppendError::BoundaryBusy { pid },
    }
}

/// What the server refused, with a lock not to be had told apart.
pub(crate) fn refused(request: &Request, error: Error) -> AppendError {
    if error.kind() == ErrorKind::Busy { busy(request, Some(0), None) } else { error.into() }
}

/// Whether a row found no segment: the segments made ahead were used up.
pub(crate) fn is_missing_segment(error: &Error) -> bool {
    // A violated check has the same code, and a name.
    sqlstate(error) == Some("23514") && constraint(error).is_none()
}
