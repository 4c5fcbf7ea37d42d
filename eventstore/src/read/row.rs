//! The rows that all reads share, and the events in them.

use std::time::{Duration, SystemTime};

use foldlog_core::{Error, ErrorKind, Position, RawEvent, StreamName, Tenant};
use foldlog_pg::database;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use crate::call::number;
use crate::event_type::TypeName;
use crate::read::json;
use crate::store::EventStore;

impl EventStore {
    /// The events of some rows. Those of a stream that was asked for don't repeat its name.
    pub(crate) async fn events(
        &self,
        conn: &mut PgConnection,
        rows: &[PgRow],
        of: Option<&StreamName>,
    ) -> Result<Vec<RawEvent>, Error> {
        let what = "read events";
        let mut events = Vec::with_capacity(rows.len());
        for row in rows {
            let type_id: i32 = row.try_get(5).map_err(|e| database(what, e))?;
            let mut kind = self.types().name(type_id);
            if kind.is_none() {
                self.types().refresh(&mut *conn, false).await?;
                kind = self.types().name(type_id);
            }
            let parts = EventRow::read(row).map_err(|e| database(what, e))?;
            let Some(kind) = kind else {
                return Err(Error::new(
                    ErrorKind::Internal,
                    format!(
                        "position {} has event type {type_id}, which is not there",
                        parts.position
                    ),
                ));
            };
            let stream = match (of, parts.name) {
                (Some(stream), _) => stream.clone(),
                (None, Some((tenant, name))) => StreamName::parse(&Tenant::new(tenant)?, name)?,
                (None, None) => {
                    return Err(Error::new(
                        ErrorKind::Internal,
                        "an event came without its stream",
                    ));
                }
            };
            events.push(self.event(stream, &kind, &parts)?);
        }
        Ok(events)
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
            recorded: since_epoch(parts.recorded_us),
        })
    }
}

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
        Ok(Self { position, version, marks: row.try_get_unchecked(6)? })
    }
}

struct EventRow<'r> {
    position: i64,
    version: i64,
    name: Option<(&'r str, &'r str)>,
    event_id: Uuid,
    payload: &'r str,
    metadata: Option<&'r str>,
    recorded_us: i64,
}

impl<'r> EventRow<'r> {
    // By number, in the order of the statements: names are looked up for every row.
    fn read(row: &'r PgRow) -> Result<Self, sqlx::Error> {
        let (tenant, stream): (Option<&str>, Option<&str>) = (row.try_get(2)?, row.try_get(3)?);
        Ok(Self {
            position: row.try_get(0)?,
            version: row.try_get(1)?,
            name: tenant.zip(stream),
            event_id: row.try_get(4)?,
            // PostgreSQL sends json as the text it is.
            payload: row.try_get_unchecked(6)?,
            metadata: row.try_get_unchecked(7)?,
            recorded_us: row.try_get(8)?,
        })
    }
}
