//! The settled position: how far a log may be read without missing an append that is still open.
//!
//! Positions come from a sequence, and transactions commit in another order than they drew. A reader
//! that takes "the rows above my cursor" therefore passes over rows that commit late. foldlog's
//! writers publish what is in flight in PostgreSQL's lock table, and its readers stay behind it.
//!
//! # The protocol
//!
//! A writer, in separate statements: locks the rows of its streams; reads the last position drawn,
//! its *bound* `b`, and takes the shared advisory lock `store | log | b`; draws positions, all above
//! `b`; inserts. A reader, in separate statements on one session: reads the last position drawn,
//! `last`; takes `settled`, the least of `last` and all bounds in the lock table; reads the rows up to
//! `settled`.
//!
//! # Why nothing is missed
//!
//! Let a row at position `p <= settled` come from writer W. `p <= last`, so W had drawn `p` before
//! the reader read `last`, and so had published its bound `b < p` before that. Had the reader seen
//! this bound, `settled <= b < p`: contradiction. So when the reader looked at the lock table, after
//! it read `last`, W's lock was gone. PostgreSQL releases the locks of a transaction only after its
//! commit is visible to new snapshots, and the reader's third statement takes a new snapshot. So the
//! row is visible to it, or W rolled back.
//!
//! # Why a stream is read in order
//!
//! The rows of a stream are written under the lock on its row in `foldlog.stream`, taken before the
//! positions are drawn and kept until the commit: the next writer draws later, and higher.
//!
//! # What would break it, and what stands in the way
//!
//! - One snapshot for several statements: `settled_1` refuses any level above read committed.
//! - A standby, which has neither the locks nor the sequence's true value: refused.
//! - `select last_value`, which can see values not yet drawn: `pg_sequence_last_value` instead.
//! - A cached, reset or cycling sequence: after drawing, `append_1` raises unless its first position
//!   lies above its bound and above its streams' last positions; [`check`] looks at every start.
//! - An insert that bypasses the functions: a trigger on the table and on each segment refuses it.
//! - A forged bound: it can hold readers back, and [`holder`] names who published it; it can't hide
//!   a row.

use foldlog_core::{Error, ErrorKind, Position, StoreId};
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use crate::sqlstate::database;

/// The log of events. Each topic will have a number of its own.
pub const EVENT_LOG: i32 = 0;

/// Which store this database holds.
///
/// # Errors
///
/// [`ErrorKind::Setup`] if the migrations have not run; those of the database.
pub async fn store(conn: &mut PgConnection) -> Result<StoreId, Error> {
    let what = "read which store this database holds";
    let row = sqlx::query(include_str!("../sql/store_read.sql"))
        .fetch_one(conn)
        .await
        .map_err(|e| database(what, e))?;
    let id: Uuid = row.try_get("id").map_err(|e| database(what, e))?;
    let epoch: i32 = row.try_get("epoch").map_err(|e| database(what, e))?;
    Ok(StoreId::new(id, u32::try_from(epoch).unwrap_or(0)))
}

/// The settled position of a log, for a reader that stands at `after`. Read the rows in a later
/// statement, on the same session.
///
/// # Errors
///
/// [`ErrorKind::Setup`] on a standby or above read committed; [`ErrorKind::Foreign`] if `after` lies
/// beyond the end of the log; those of the database.
pub async fn settled(
    conn: &mut PgConnection,
    log: i32,
    after: Position,
) -> Result<Position, Error> {
    let settled: i64 = sqlx::query_scalar(include_str!("../sql/settled_read.sql"))
        .bind(log)
        .bind(i64::try_from(after.get()).unwrap_or(i64::MAX))
        .fetch_one(conn)
        .await
        .map_err(|e| database("read the settled position", e))?;
    Ok(Position::new(u64::try_from(settled).unwrap_or(0)))
}

/// Checks that the positions of a log can be trusted.
///
/// # Errors
///
/// [`ErrorKind::Setup`], with the command that mends it, if the sequence was changed or reset; those
/// of the database.
pub async fn check(conn: &mut PgConnection, log: i32) -> Result<(), Error> {
    let problem: Option<String> = sqlx::query_scalar(include_str!("../sql/log_check.sql"))
        .bind(log)
        .fetch_one(conn)
        .await
        .map_err(|e| database("check the sequence of positions", e))?;
    problem.map_or(Ok(()), |problem| Err(Error::new(ErrorKind::Setup, problem)))
}

/// Who holds the lowest bound of a log, and so keeps its readers waiting.
#[derive(Clone, Debug)]
pub struct Holder {
    /// The bound: readers see nothing above it.
    pub bound: Position,
    /// The server process; `None` for a prepared transaction.
    pub pid: Option<i32>,
    /// The name of the prepared transaction, if it is one.
    pub gid: Option<String>,
    /// For how long its transaction has been open, in seconds, if the server says so.
    pub age_s: Option<f64>,
    /// The application's name, if the server says so.
    pub application: Option<String>,
    /// What the process waits for, in PostgreSQL's words; `SyncRep` is a commit that waits for its
    /// synchronous standby.
    pub waits: Option<String>,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.gid, self.pid) {
            (Some(gid), _) => write!(f, "the prepared transaction {gid:?}")?,
            (None, Some(pid)) => write!(f, "an append left open by process {pid}")?,
            (None, None) => f.write_str("an append left open by a prepared transaction")?,
        }
        if let Some(application) = self.application.as_deref().filter(|name| !name.is_empty()) {
            write!(f, " ({application})")?;
        }
        if let Some(age) = self.age_s {
            write!(f, " for {age:.1} s")?;
        }
        if self.waits.as_deref() == Some("SyncRep") {
            f.write_str(", which waits for a synchronous standby")?;
        }
        Ok(())
    }
}

/// Who holds the lowest bound of a log; `None` if nobody holds one.
///
/// # Errors
///
/// Those of the database.
pub async fn holder(conn: &mut PgConnection, log: i32) -> Result<Option<Holder>, Error> {
    let row = sqlx::query(include_str!("../sql/settled_holder_read.sql"))
        .bind(log)
        .fetch_optional(conn)
        .await
        .map_err(|e| database("read who holds the settled position", e))?;
    row.map(|row| {
        let bound: i64 = row.try_get("bound")?;
        Ok(Holder {
            bound: Position::new(u64::try_from(bound).unwrap_or(0)),
            pid: row.try_get("pid")?,
            gid: row.try_get("gid")?,
            age_s: row.try_get("age_s")?,
            application: row.try_get("application")?,
            waits: row.try_get("waits")?,
        })
    })
    .transpose()
    .map_err(|e| database("read who holds the settled position", e))
}
