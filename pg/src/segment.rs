//! Segments: the pieces of a log's table, made ahead of need, and frozen when they are full.

use std::ops::Range;
use std::time::Duration;

use foldlog_core::{Error, Position};
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};

use crate::sqlstate::database;

/// How long one try may wait for a lock: short, because whoever wants the same lock waits behind it.
const LOCK_TIMEOUT: &str = "100ms";
const ATTEMPTS_MAX: u32 = 20;

/// Makes what is missing of the current segment of a log and the two after it.
///
/// Returns how many it made: usually none. Appends go on meanwhile.
///
/// # Errors
///
/// [`ErrorKind::Busy`](foldlog_core::ErrorKind::Busy) if the locks were not to be had in two
/// seconds of short tries; those of the database.
pub async fn ensure(conn: &mut PgConnection, log: i32) -> Result<i32, Error> {
    let mut attempt = 1;
    loop {
        match ensure_once(conn, log).await {
            Err(error) if error.is_retryable() && attempt < ATTEMPTS_MAX => {
                attempt += 1;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            result => return result,
        }
    }
}

async fn ensure_once(conn: &mut PgConnection, log: i32) -> Result<i32, Error> {
    let what = "make segments ahead";
    let mut tx = conn.begin().await.map_err(|e| database(what, e))?;
    sqlx::query(include_str!("../sql/setting_local_set.sql"))
        .bind("lock_timeout")
        .bind(LOCK_TIMEOUT)
        .execute(&mut *tx)
        .await
        .map_err(|e| database(what, e))?;
    let made: i32 = sqlx::query_scalar(include_str!("../sql/segment_ensure.sql"))
        .bind(log)
        .fetch_one(&mut *tx)
        .await
        .map_err(|e| database(what, e))?;
    tx.commit().await.map_err(|e| database(what, e))?;
    Ok(made)
}

/// A segment of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Segment {
    /// The number: its positions begin with this many times the width.
    pub number: u64,
    /// The name of its table.
    pub name: String,
    /// Its positions: the first, and the first behind it.
    pub positions: Range<Position>,
    /// Whether it is written to.
    pub state: SegmentState,
    /// What it takes on the server's disk, its indexes included.
    pub bytes: u64,
    /// About how many rows it has, if the server has counted.
    pub rows_about: Option<u64>,
    /// Whether it was frozen: PostgreSQL need not look at it again.
    pub frozen: bool,
}

/// Whether a segment is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SegmentState {
    /// Nothing was written to it yet.
    Ahead,
    /// It is written to.
    Current,
    /// All its positions are drawn, and appends to it may still be open.
    Closing,
    /// Nothing is written to it any more.
    Closed,
}

/// The segments of a log, from the first that is kept.
///
/// # Errors
///
/// [`ErrorKind::Setup`](foldlog_core::ErrorKind::Setup) on a standby or above read committed; those of
/// the database.
pub async fn list(conn: &mut PgConnection, log: i32) -> Result<Vec<Segment>, Error> {
    let what = "list the segments";
    let rows = sqlx::query(include_str!("../sql/segment_list.sql"))
        .bind(log)
        .fetch_all(conn)
        .await
        .map_err(|e| database(what, e))?;
    rows.iter().map(segment).collect::<Result<_, _>>().map_err(|e| database(what, e))
}

fn segment(row: &PgRow) -> Result<Segment, sqlx::Error> {
    let number = |value: i64| u64::try_from(value).unwrap_or(0);
    let position = |value: i64| Position::new(number(value));
    let state: &str = row.try_get(4)?;
    Ok(Segment {
        number: number(row.try_get(0)?),
        name: row.try_get(1)?,
        positions: position(row.try_get(2)?)..position(row.try_get(3)?),
        state: match state {
            "closed" => SegmentState::Closed,
            "closing" => SegmentState::Closing,
            "current" => SegmentState::Current,
            _ => SegmentState::Ahead,
        },
        bytes: number(row.try_get(5)?),
        rows_about: row.try_get::<Option<i64>, _>(6)?.map(number),
        frozen: row.try_get(7)?,
    })
}

/// Freezes one closed segment, if there is one that was not: PostgreSQL then need not go through it
/// again. Its number, or `None` if there was nothing to do, or too early, or another is at it.
///
/// Only the owner of the table can; for other roles there is nothing to do. The session must be one of
/// its own: its settings change, and when it ends in the middle the segment stays as it was.
///
/// # Errors
///
/// [`ErrorKind::Busy`](foldlog_core::ErrorKind::Busy) if the segment was locked; those of the database.
pub async fn freeze(conn: &mut PgConnection, log: i32) -> Result<Option<u64>, Error> {
    let what = "freeze a segment";
    let row = sqlx::query(include_str!("../sql/segment_freeze_next.sql"))
        .bind(log)
        .bind(LOCK_TIMEOUT)
        .fetch_optional(&mut *conn)
        .await
        .map_err(|e| database(what, e))?;
    let Some(row) = row else { return Ok(None) };
    let read = || Ok((row.try_get(0)?, row.try_get(1)?));
    let (number, statement): (i64, String) = read().map_err(|e| database(what, e))?;
    sqlx::raw_sql(AssertSqlSafe(statement))
        .execute(&mut *conn)
        .await
        .map_err(|e| database(what, e))?;
    let frozen: bool = sqlx::query_scalar(include_str!("../sql/segment_frozen.sql"))
        .bind(log)
        .bind(number)
        .fetch_one(conn)
        .await
        .map_err(|e| database(what, e))?;
    Ok(frozen.then(|| u64::try_from(number).unwrap_or(0)))
}
