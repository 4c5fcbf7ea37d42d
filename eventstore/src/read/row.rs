//! The rows that all reads share, and the events in them.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use foldlog_core::{Error, ErrorKind, Position, RawEvent, StreamName};
use foldlog_pg::database;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use crate::call::number;
use crate::event_type::TypeName;
use crate::read::json;
use crate::store::EventStore;

impl EventStore {
    /// The events of some rows; `stream` names the one that a row is of, whose place it is given.
    pub(crate) async fn events(
        &self,
        conn: &mut PgConnection,
        rows: &[PgRow],
        mut stream: impl FnMut(usize, &PgRow) -> Result<StreamName, Error>,
    ) -> Result<Vec<RawEvent>, Error> {
        let what = "read events";
        let mut events = Vec::with_capacity(rows.len());
        // The type of the event before, which the next one often shares.
        let mut last: Option<(i32, Arc<TypeName>)> = None;
        for (place, row) in rows.iter().enumerate() {
            let parts = EventRow::read(row).map_err(|e| database(what, e))?;
            let kind = match last.take().filter(|(id, _)| *id == parts.type_id) {
                Some((_, kind)) => kind,
                None => self.type_of(conn, &parts).await?,
            };
            events.push(self.event(stream(place, row)?, &kind, &parts)?);
            last = Some((parts.type_id, kind));
        }
        Ok(events)
    }

    async fn type_of(
        &self,
        conn: &mut PgConnection,
        parts: &EventRow<'_>,
    ) -> Result<Arc<TypeName>, Error> {
        let id = parts.type_id;
        if let Some(kind) = self.types().name(id) {
            return Ok(kind);
        }
        self.types().refresh(conn, false).await?;
        self.types().name(id).ok_or_else(|| {
            Error::new(
                ErrorKind::Internal,
                format!("position {} has event type {id}, which is not there", parts.position),
            )
        })
    }

    fn event(
        &self,
        stream: StreamName,
        kind: &TypeName,
        parts: &EventRow<'_>,
    ) -> Result<RawEvent, Error> {
        let position = Position::new(number(parts.position));
        Ok(RawEvent {
            stream,
            version: number(parts.version),
            token: self.token(position),
            id: parts.event_id,
            kind: kind.name.clone(),
            schema_version: kind.schema_version,
            payload: json(position, parts.payload)?,
            metadata: parts.metadata.map(|text| json(position, text)).transpose()?,
            recorded: parts.recorded,
        })
    }
}

/// 2000-01-01, from where the server counts, since the epoch.
const CENTURY_US: i64 = 946_684_800_000_000;

/// A time of the server's, which counts in microseconds.
pub(crate) fn since_epoch(microseconds: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_micros(number(microseconds))
}

/// The row that holds no event: how far an answer reaches.
pub(crate) struct Head {
    pub(crate) position: i64,
    pub(crate) version: i64,
    /// Of a marked stream.
    pub(crate) marks: Option<String>,
}

impl Head {
    pub(crate) fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        let (position, version) = (row.try_get(0)?, row.try_get(1)?);
        // PostgreSQL sends json as the text it is.
        Ok(Self { position, version, marks: row.try_get_unchecked(4)? })
    }
}

struct EventRow<'r> {
    position: i64,
    version: i64,
    event_id: Uuid,
    type_id: i32,
    payload: &'r str,
    metadata: Option<&'r str>,
    recorded: SystemTime,
}

impl<'r> EventRow<'r> {
    // By number, in the order of the statements: names are looked up for every row.
    fn read(row: &'r PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            position: row.try_get(0)?,
            version: row.try_get(1)?,
            event_id: row.try_get(2)?,
            type_id: row.try_get(3)?,
            // PostgreSQL sends json as the text it is, and a time as the microseconds of this century.
            payload: row.try_get_unchecked(4)?,
            metadata: row.try_get_unchecked(5)?,
            recorded: since_epoch(CENTURY_US.saturating_add(row.try_get_unchecked(6)?)),
        })
    }
}
