//! Marks as they are stored and sent.

use std::time::{Duration, SystemTime};

use foldlog_core::{Error, ErrorKind, StreamName};
use foldlog_pg::database;
use serde::Deserialize;
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::{Cut, Mark, MarkKind, closed};
use crate::call::number;
use crate::read::since_epoch;
use crate::store::EventStore;

/// How a marked stream stands.
#[derive(Debug, Deserialize)]
pub(crate) struct Marks {
    state: i16,
    first_version: u64,
    first_is_summary: bool,
    closed: Option<Entry>,
    cut: Option<Entry>,
}

#[derive(Debug, Deserialize)]
struct Entry {
    reason: String,
    by: String,
    at_us: u64,
}

impl Entry {
    fn mark(self, kind: MarkKind) -> Mark {
        let at = SystemTime::UNIX_EPOCH + Duration::from_micros(self.at_us);
        Mark { kind, reason: self.reason, by: self.by, at }
    }
}

impl Marks {
    pub(crate) fn parse(json: &str) -> Result<Self, Error> {
        serde_json::from_str(json).map_err(|cause| {
            Error::new(ErrorKind::Internal, "the marks of a stream can't be read")
                .with_source(cause)
        })
    }

    /// Why nothing is appended.
    pub(crate) fn refusal(self, stream: &StreamName) -> Error {
        let kind = if self.state == 2 { MarkKind::Tombstoned } else { MarkKind::Archived };
        closed(stream, self.state, self.closed.map(|entry| entry.mark(kind)))
    }

    /// Where readers begin, unless the stream is closed to them.
    pub(crate) fn for_readers(self, stream: &StreamName) -> Result<Option<Cut>, Error> {
        if self.state == 2 {
            return Err(self.refusal(stream));
        }
        let Self { first_version, first_is_summary: is_summary, cut, .. } = self;
        let kind = MarkKind::Truncated { first_version, is_summary };
        let mark = cut.map(|entry| entry.mark(kind));
        Ok((first_version > 1).then_some(Cut { first_version, is_summary, mark }))
    }
}

impl EventStore {
    /// Every mark that a stream was given, in order. None if it has none, or does not exist.
    ///
    /// Dropping the future leaves nothing behind.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn marks(&self, stream: &StreamName) -> Result<Vec<Mark>, Error> {
        let what = || format!("read the marks of stream {stream}");
        let mut conn = self.acquire().await?;
        let rows = sqlx::query(include_str!("../../sql/mark_list.sql"))
            .bind(stream.tenant().as_str())
            .bind(stream.as_str())
            .fetch_all(&mut *conn)
            .await
            .map_err(|e| database(what(), e))?;
        let marks =
            rows.iter().map(|row| Mark::read(row, 0)).collect::<Result<Option<Vec<_>>, _>>();
        marks.map(Option::unwrap_or_default).map_err(|e| database(what(), e))
    }
}

impl Mark {
    /// The mark in the columns of a row from one on; none if they are null.
    pub(crate) fn read(row: &PgRow, at: usize) -> Result<Option<Self>, sqlx::Error> {
        let Some(kind) = row.try_get::<Option<String>, _>(at)? else { return Ok(None) };
        let first_version = number(row.try_get::<Option<i64>, _>(at + 1)?.unwrap_or(1));
        let is_summary = row.try_get::<Option<bool>, _>(at + 2)?.unwrap_or(false);
        Ok(Some(Self {
            kind: match kind.as_str() {
                "archive" => MarkKind::Archived,
                "unarchive" => MarkKind::Unarchived,
                "truncate" => MarkKind::Truncated { first_version, is_summary },
                "tombstone" => MarkKind::Tombstoned,
                "drop" => MarkKind::Dropped { first_version },
                _ => MarkKind::Unknown(kind),
            },
            reason: row.try_get(at + 3)?,
            by: row.try_get(at + 4)?,
            at: since_epoch(row.try_get(at + 5)?),
        }))
    }
}
