//! Snapshots: a state that was stored after some events of its stream, and the rest of the stream.

use foldlog_core::{Error, ErrorKind, Position, StreamName};
use foldlog_pg::database;
use serde_json::value::RawValue;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use crate::call::number;
use crate::group::{LOAD_EVENTS_MAX, Short};
use crate::read::{PAGE_BYTES_MAX, StreamPage, json, signed};
use crate::store::EventStore;

/// The most bytes of a stored state: a larger one is not kept.
pub const SNAPSHOT_BYTES_MAX: usize = 1 << 20;

/// A state as it is stored, and which events of its stream went into it.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The version of the last event in it.
    pub version: u64,
    /// The position of that event.
    pub position: Position,
    /// The state as JSON, kept byte for byte.
    pub state: Box<RawValue>,
}

/// Of which states a snapshot is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotSchema<'a> {
    /// The name of the aggregate, for people and for the removal of snapshots that nobody reads.
    pub aggregate: &'a str,
    /// What tells one schema of its state from any other.
    pub hash: &'a [u8; 32],
}

/// A stream as it is loaded for an aggregate.
#[derive(Clone, Debug)]
pub struct StreamLoad {
    /// The snapshot, if there is one that serves.
    pub snapshot: Option<Snapshot>,
    /// The events behind the snapshot; from the first on without one.
    pub page: StreamPage,
}

impl EventStore {
    /// A stream as far as a version, at most `limit` events of it, behind the snapshot of this schema:
    /// in one call.
    ///
    /// A snapshot serves if it is not beyond `to_version`, its last event is that of the stream, and no
    /// event is cut off behind it. One that is damaged all the same is for the caller to find out, and to
    /// leave: then [`read_stream`](Self::read_stream). Dropping the future leaves nothing behind.
    ///
    /// # Errors
    ///
    /// As [`read_stream`](Self::read_stream).
    pub async fn load_stream(
        &self,
        stream: &StreamName,
        schema: SnapshotSchema<'_>,
        to_version: u64,
        limit: u32,
    ) -> Result<StreamLoad, Error> {
        if limit >= LOAD_EVENTS_MAX
            && to_version == u64::MAX
            && let Some(Ok(Short::Whole(load))) =
                self.group().load(stream, 0, Some(*schema.hash)).await
        {
            return Ok(load);
        }
        let mut conn = self.acquire().await?;
        self.load_stream_in(&mut conn, stream, schema, to_version, limit).await
    }

    /// The same in the caller's transaction: it sees the transaction's own appends, and what the
    /// isolation level lets it see.
    ///
    /// # Errors
    ///
    /// As [`read_stream`](Self::read_stream).
    pub async fn load_stream_in(
        &self,
        conn: &mut PgConnection,
        stream: &StreamName,
        schema: SnapshotSchema<'_>,
        to_version: u64,
        limit: u32,
    ) -> Result<StreamLoad, Error> {
        let what = || format!("load stream {stream}");
        let rows = sqlx::query(include_str!("../sql/stream_load.sql"))
            .bind(stream.tenant().as_str())
            .bind(stream.as_str())
            .bind(signed(to_version))
            .bind(schema.hash.as_slice())
            .bind(i32::try_from(limit).unwrap_or(i32::MAX))
            .bind(PAGE_BYTES_MAX)
            .fetch_all(&mut *conn)
            .await
            .map_err(|e| database(what(), e))?;
        let snapshot = match rows.first().map(Snapshot::read) {
            Some(read) => read.map_err(|e| database(what(), e))?.as_ref().map(Snapshot::checked),
            None => None,
        };
        let rows = rows.get(usize::from(snapshot.is_some())..).unwrap_or_default();
        let page = self.forward_page(conn, stream, rows, false).await?;
        Ok(StreamLoad { snapshot: snapshot.transpose()?, page })
    }

    /// Keeps a snapshot for later loads. False, and nothing is kept, if a newer one is there, if the
    /// stream has not the event that it speaks of, or was tombstoned.
    ///
    /// The state must be of committed events: never of what an open transaction appended. The commit
    /// does not wait for the server's disk, for a snapshot that is lost is no loss. Dropping the future
    /// leaves it kept or not kept.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] if the state has more than [`SNAPSHOT_BYTES_MAX`]; those of the database.
    pub async fn keep_snapshot(
        &self,
        stream: &StreamName,
        schema: SnapshotSchema<'_>,
        snapshot: &Snapshot,
    ) -> Result<bool, Error> {
        let what = || format!("keep a snapshot of stream {stream}");
        let bytes = snapshot.state.get().len();
        if bytes > SNAPSHOT_BYTES_MAX {
            return Err(Error::new(
                ErrorKind::Invalid,
                format!(
                    "the state of stream {stream} has {bytes} bytes, and a snapshot at most \
                     {SNAPSHOT_BYTES_MAX}"
                ),
            ));
        }
        let mut conn = self.acquire().await?;
        sqlx::query_scalar(include_str!("../sql/snapshot_keep.sql"))
            .bind(stream.tenant().as_str())
            .bind(stream.as_str())
            .bind(schema.aggregate)
            .bind(schema.hash.as_slice())
            .bind(signed(snapshot.version))
            .bind(signed(snapshot.position.get()))
            .bind(snapshot.state.get())
            .fetch_one(&mut *conn)
            .await
            .map_err(|e| database(what(), e))
    }
}

/// The row of a snapshot, as either driver reads it.
pub(crate) struct SnapshotRow<'r> {
    pub(crate) version: i64,
    pub(crate) position: i64,
    pub(crate) state: &'r str,
}

impl Snapshot {
    fn read(row: &PgRow) -> Result<Option<SnapshotRow<'_>>, sqlx::Error> {
        if !row.try_get::<bool, _>("is_snapshot")? {
            return Ok(None);
        }
        Ok(Some(SnapshotRow {
            version: row.try_get("version")?,
            position: row.try_get("position")?,
            // PostgreSQL sends json as the text it is.
            state: row.try_get_unchecked("payload")?,
        }))
    }

    pub(crate) fn checked(row: &SnapshotRow<'_>) -> Result<Self, Error> {
        let position = Position::new(number(row.position));
        Ok(Self { version: number(row.version), position, state: json(position, row.state)? })
    }
}
