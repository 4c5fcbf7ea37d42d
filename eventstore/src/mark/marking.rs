//! Giving marks.

use std::future::IntoFuture;

use foldlog_core::{BoxFuture, Error, ErrorKind, Expected, StreamName};
use foldlog_pg::database;
use sqlx::{PgConnection, Row};

use super::{Marks, REASON_BYTES_MAX};
use crate::append::{AppendError, LOCK_WAIT_MS};
use crate::call::number;
use crate::level::committed;
use crate::read::signed;
use crate::store::EventStore;

/// A mark on its way to a stream. Await it: it answers whether it changed anything, which it did not if
/// the stream stood so already.
///
/// It waits for appends to the stream that are under way, up to ten seconds, and what is appended later
/// obeys it. Dropping the future leaves it made or not made; to make it again is safe.
///
/// # Errors
///
/// [`AppendError::Conflict`] if the stream is not at the version that was
/// [expected](Self::expect_version); [`AppendError::Busy`]; `Store` with
/// [`ErrorKind::Invalid`] for a stream that has no event, a version that it does not have, or a reason that
/// is empty or longer than 1,000 bytes, and with [`ErrorKind::Tombstoned`] for a tombstoned one; those of
/// the database.
#[derive(Clone, Debug)]
#[must_use = "a stream is marked when this is awaited"]
pub struct Marking {
    store: EventStore,
    stream: StreamName,
    act: Act,
    reason: String,
    expected: Option<u64>,
}

/// The same in a transaction of yours, at read committed. Await it; it counts when you commit, and holds
/// the stream until then.
#[derive(Debug)]
#[must_use = "a stream is marked when this is awaited"]
pub struct MarkingIn<'c> {
    marking: Marking,
    conn: &'c mut PgConnection,
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Archive,
    Unarchive,
    Truncate { before: u64, is_summary: bool },
    Tombstone,
}

impl EventStore {
    /// Archives a stream: it is read as ever, appends to it are refused, and lists leave it out.
    pub fn archive(&self, stream: &StreamName, reason: &str) -> Marking {
        Marking::new(self, stream, Act::Archive, reason)
    }

    /// Opens an archived stream again.
    pub fn unarchive(&self, stream: &StreamName, reason: &str) -> Marking {
        Marking::new(self, stream, Act::Unarchive, reason)
    }

    /// Truncates a stream: its readers don't see events before a version any more. The last event always
    /// stays, and the settled order has all of them until their segment is dropped.
    ///
    /// No state can be folded from the rest, unless a snapshot was taken at the cut or after it. Where the
    /// event of the version says all that those before it said, it is a
    /// [summary](Self::truncate_to_summary).
    pub fn truncate_before(&self, stream: &StreamName, version: u64, reason: &str) -> Marking {
        Marking::new(self, stream, Act::Truncate { before: version, is_summary: false }, reason)
    }

    /// The same before an event that stands for all before it, as one does that closes the books: states
    /// are folded from it on.
    pub fn truncate_to_summary(&self, stream: &StreamName, version: u64, reason: &str) -> Marking {
        Marking::new(self, stream, Act::Truncate { before: version, is_summary: true }, reason)
    }

    /// Closes a stream for ever: appends are refused, it is not read any more, and its name is not given
    /// anew. The settled order has its events until their segment is dropped.
    pub fn tombstone(&self, stream: &StreamName, reason: &str) -> Marking {
        Marking::new(self, stream, Act::Tombstone, reason)
    }
}

impl Marking {
    fn new(store: &EventStore, stream: &StreamName, act: Act, reason: &str) -> Self {
        let (store, stream) = (store.clone(), stream.clone());
        Self { store, stream, act, reason: reason.to_owned(), expected: None }
    }

    /// The version that the stream must be at; at any other it is a conflict, and nothing is marked.
    pub fn expect_version(mut self, version: u64) -> Self {
        self.expected = Some(version);
        self
    }

    /// In a transaction of yours.
    pub fn within(self, conn: &mut PgConnection) -> MarkingIn<'_> {
        MarkingIn { marking: self, conn }
    }

    async fn run(
        &self,
        conn: &mut PgConnection,
        wait_ms: Option<i32>,
    ) -> Result<bool, AppendError> {
        check_reason(&self.reason)?;
        let (mark, before, is_summary) = match self.act {
            Act::Archive => ("archive", None, false),
            Act::Unarchive => ("unarchive", None, false),
            Act::Truncate { before, is_summary } => ("truncate", Some(before), is_summary),
            Act::Tombstone => ("tombstone", None, false),
        };
        let what = || format!("{mark} stream {}", self.stream);
        let row = sqlx::query(include_str!("../../sql/stream_mark.sql"))
            .bind(wait_ms)
            .bind(self.stream.tenant().as_str())
            .bind(self.stream.as_str())
            .bind(mark)
            .bind(&self.reason)
            .bind(before.map(signed))
            .bind(is_summary)
            .bind(self.expected.map(signed))
            .fetch_one(conn)
            .await
            .map_err(|e| self.failed(database(what(), e)))?;
        let read = || Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?));
        let (outcome, version, marks): (i16, i64, Option<String>) =
            read().map_err(|e| database(what(), e))?;
        self.outcome(outcome, number(version), marks.as_deref())
    }

    fn outcome(
        &self,
        outcome: i16,
        version: u64,
        marks: Option<&str>,
    ) -> Result<bool, AppendError> {
        let stream = &self.stream;
        let invalid = |text: String| Err(Error::new(ErrorKind::Invalid, text).into());
        match (outcome, marks) {
            (0, _) => Ok(true),
            (1, _) => Ok(false),
            (2, _) => Err(AppendError::Conflict {
                stream: stream.clone(),
                expected: Expected::Exact(self.expected.unwrap_or_default()),
                actual: version,
            }),
            (3, _) => invalid(format!("stream {stream} has no event, and can't be marked")),
            (4, Some(marks)) => Err(Marks::parse(marks)?.refusal(stream).into()),
            (5, _) => invalid(format!(
                "stream {stream} is at version {version}: it can be truncated before versions 1 to \
                 {version}"
            )),
            _ => {
                let text = "a mark was answered in an unknown way";
                Err(Error::new(ErrorKind::Internal, text).into())
            }
        }
    }

    fn failed(&self, error: Error) -> AppendError {
        if error.kind() == ErrorKind::Busy {
            return AppendError::Busy { stream: self.stream.clone(), pid: None };
        }
        error.into()
    }
}

/// A reason that says something, and can be stored.
pub(crate) fn check_reason(reason: &str) -> Result<(), Error> {
    let text = match reason {
        reason if reason.trim().is_empty() => "a mark needs a reason",
        reason if reason.len() > REASON_BYTES_MAX => "a reason has at most 1,000 bytes",
        reason if reason.contains('\0') => "a reason can't hold a NUL character",
        _ => return Ok(()),
    };
    Err(Error::new(ErrorKind::Invalid, text))
}

impl IntoFuture for Marking {
    type Output = Result<bool, AppendError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let mut conn = self.store.acquire().await?;
            // Whatever level the server begins transactions at: what a mark finds behind the lock has to
            // be the newest.
            let failed = |e| self.failed(database(format!("mark stream {}", self.stream), e));
            let mut tx = committed(&mut conn).await.map_err(failed)?;
            let changed = self.run(&mut tx, Some(LOCK_WAIT_MS)).await?;
            tx.commit().await.map_err(failed)?;
            Ok(changed)
        })
    }
}

impl<'c> IntoFuture for MarkingIn<'c> {
    type Output = Result<bool, AppendError>;
    type IntoFuture = BoxFuture<'c, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.marking.run(self.conn, None).await })
    }
}
