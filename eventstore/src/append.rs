//! Appending: one call of the append function, and what its answer means.

use std::time::Duration;

use foldlog_core::{Error, ErrorKind, Expected, Position, StreamName, Token};
use foldlog_pg::{constraint, database, sqlstate};
use serde_json::value::RawValue;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use crate::request::Request;
use crate::store::EventStore;

/// How long an append of its own waits for a lock before it answers `Busy`.
pub(crate) const LOCK_WAIT_MS: i32 = 10_000;
/// The append function does not find a type or a category: this process remembers what was lost.
const UNKNOWN_TYPE: &str = "FL007";
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
    /// A stream is not at the version that was expected.
    #[error("stream {stream} is at version {actual}, expected {expected}")]
    Conflict {
        /// The first stream of which the expectation failed.
        stream: StreamName,
        /// What was expected.
        expected: Expected,
        /// The version it is at.
        actual: u64,
    },
    /// A lock was not to be had in time.
    #[error("stream {stream} is locked by another transaction")]
    Busy {
        /// The stream, or the first of several.
        stream: StreamName,
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
            Self::Busy { .. } => false,
            Self::Store(error) => matches!(error.kind(), ErrorKind::IdReused | ErrorKind::Invalid),
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
    /// [`AppendError`]; `Store` with [`ErrorKind::IdReused`] if the id stands for other content, and
    /// with [`ErrorKind::Unavailable`] if nobody knows whether it was made: the same request may be
    /// appended again. [`ErrorKind::Internal`] vouches for nothing. Every other error means that this
    /// call has not made it, and won't; an earlier call of which nobody knows still may.
    pub async fn append(&self, request: &Request) -> Result<Appended, AppendError> {
        let mut attempt = 1;
        // The error of an attempt that the server may yet have made, or be making.
        let mut unknown: Option<AppendError> = None;
        loop {
            let error = match self.append_once(request).await {
                Ok(appended) => {
                    self.wake().appended();
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
        let mut conn = self.acquire().await?;
        let types = self.types().resolve(&mut conn, request, true).await;
        let types = types.map_err(|error| refused(request, error))?;
        match self.call(&mut conn, request, &types, Some(LOCK_WAIT_MS)).await {
            Err(AppendError::Store(error)) if is_missing_segment(&error) => {
                drop(conn);
                self.ensure_segments().await?;
                let mut conn = self.acquire().await?;
                self.call(&mut conn, request, &types, Some(LOCK_WAIT_MS)).await
            }
            result => result,
        }
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
        match self.call(conn, request, &types, None).await {
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
        let parts = &request.streams;
        let hash = request.content_hash();
        let events =
            || parts.iter().zip(1_i32..).flat_map(|(p, n)| p.events.iter().map(move |e| (n, e)));
        let ids: Vec<Uuid> = events().enumerate().map(|(i, _)| request.event_id(i)).collect();
        let rows = sqlx::query(include_str!("../sql/append.sql"))
            .bind(wait_ms)
            .bind(vec![request.tenant().as_str()])
            .bind(vec![request.id])
            .bind(vec![hash.as_ref().map(<[u8; 32]>::as_slice)])
            .bind(vec![request.reply.as_ref().map(|reply| reply.get())])
            .bind(vec![1_i32; parts.len()])
            .bind(parts.iter().map(|p| p.name.as_str()).collect::<Vec<_>>())
            .bind(parts.iter().map(|p| expected_number(p.expected)).collect::<Vec<i64>>())
            .bind(events().map(|(n, _)| n).collect::<Vec<_>>())
            .bind(&ids)
            .bind(types)
            .bind(events().map(|(_, e)| e.payload.get()).collect::<Vec<_>>())
            .bind(vec![request.metadata.as_deref(); ids.len()])
            .fetch_all(conn)
            .await
            .map_err(|e| database("append", e));
        let rows = rows.map_err(|error| {
            if sqlstate(&error) == Some(UNKNOWN_TYPE) {
                self.types().forget();
            }
            refused(request, error)
        })?;
        self.answer(request, &rows)
    }

    fn answer(&self, request: &Request, rows: &[PgRow]) -> Result<Appended, AppendError> {
        let rows = rows
            .iter()
            .map(Answer::read)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|e| database("read the answer of an append", e))?;
        let mut streams = Vec::with_capacity(rows.len());
        for (part, row) in request.streams.iter().zip(&rows) {
            match row.outcome {
                0 | 1 => {}
                3 => return Err(id_reused(request).into()),
                _ => return Err(conflict(request, &rows)),
            }
            streams.push(StreamAppended {
                stream: part.name.clone(),
                version: number(row.version),
                position: row.last_position.map(|p| Position::new(number(p))),
            });
        }
        let last = streams.iter().filter_map(|s| s.position).max().unwrap_or_default();
        Ok(Appended {
            streams,
            token: self.token(last),
            repeated: rows.iter().any(|row| row.outcome == 1),
            reply: rows.into_iter().find_map(|row| row.reply),
        })
    }
}

struct Answer {
    outcome: i16,
    version: i64,
    last_position: Option<i64>,
    reply: Option<Box<RawValue>>,
}

impl Answer {
    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        let reply: Option<String> = row.try_get("reply")?;
        Ok(Self {
            outcome: row.try_get("outcome")?,
            version: row.try_get("version")?,
            last_position: row.try_get("last_position")?,
            // It was written as json, so it reads as JSON.
            reply: reply.and_then(|json| RawValue::from_string(json).ok()),
        })
    }
}

/// What the server refused, with a lock not to be had told apart.
fn refused(request: &Request, error: Error) -> AppendError {
    match request.streams.first() {
        Some(part) if error.kind() == ErrorKind::Busy => {
            AppendError::Busy { stream: part.name.clone(), pid: None }
        }
        _ => error.into(),
    }
}

fn conflict(request: &Request, rows: &[Answer]) -> AppendError {
    // The answer gives each stream's version; which expectation failed follows from it.
    let failed = request.streams.iter().zip(rows).find(|(part, row)| match part.expected {
        Expected::Any => false,
        Expected::Exists => row.version == 0,
        Expected::NoStream => row.version != 0,
        Expected::Exact(version) => number(row.version) != version,
    });
    match failed {
        Some((part, row)) => AppendError::Conflict {
            stream: part.name.clone(),
            expected: part.expected,
            actual: number(row.version),
        },
        None => AppendError::Store(Error::new(
            ErrorKind::Internal,
            "the append function answered a conflict that none of the versions shows",
        )),
    }
}

fn id_reused(request: &Request) -> Error {
    Error::new(
        ErrorKind::IdReused,
        format!(
            "the id {} was used before, for other content: give each append and each command an id \
             of its own, and repeat it only with the same content",
            request.id.unwrap_or_default()
        ),
    )
}

fn expected_number(expected: Expected) -> i64 {
    match expected {
        Expected::Any => -2,
        Expected::Exists => -1,
        Expected::NoStream => 0,
        Expected::Exact(version) => i64::try_from(version).unwrap_or(i64::MAX),
    }
}

/// Whether a row found no segment: the segments made ahead were used up.
fn is_missing_segment(error: &Error) -> bool {
    // A violated check has the same code, and a name.
    sqlstate(error) == Some("23514") && constraint(error).is_none()
}

pub(crate) fn number(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}
