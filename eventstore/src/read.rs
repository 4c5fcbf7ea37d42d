//! Reading a stream, a page at a time, and the rows that all reads share.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use foldlog_core::{Error, ErrorKind, Position, RawEvent, StreamName, StreamTail, Tenant};
use foldlog_pg::database;
use serde_json::value::RawValue;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use crate::call::number;
use crate::group::{LOAD_EVENTS_MAX, Short};
use crate::store::EventStore;

/// A piece of one stream.
#[derive(Clone, Debug)]
pub struct StreamPage {
    /// The events, by version.
    pub events: Vec<RawEvent>,
    /// The version of the stream; 0 if it does not exist.
    pub version: u64,
    /// The position of its last event.
    pub position: Position,
    /// Whether the page ended at its limit, before the stream does.
    pub more: bool,
}

impl EventStore {
    /// The events of a stream after a version, at most `limit`.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn read_stream(
        &self,
        stream: &StreamName,
        after_version: u64,
        limit: u32,
    ) -> Result<StreamPage, Error> {
        if limit >= LOAD_EVENTS_MAX
            && let Some(Ok(Short::Whole(page))) = self.group().load(stream, after_version).await
        {
            return Ok(page);
        }
        // The stream is long, or its load failed, which may not befall another connection.
        let mut conn = self.acquire().await?;
        self.read_stream_in(&mut conn, stream, after_version, limit).await
    }

    /// The same in the caller's transaction: it sees the transaction's own appends, and what the
    /// isolation level lets it see.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn read_stream_in(
        &self,
        conn: &mut PgConnection,
        stream: &StreamName,
        after_version: u64,
        limit: u32,
    ) -> Result<StreamPage, Error> {
        self.stream_page(conn, stream, after_version, Position::START, limit).await
    }

    async fn stream_page(
        &self,
        conn: &mut PgConnection,
        stream: &StreamName,
        after_version: u64,
        after: Position,
        limit: u32,
    ) -> Result<StreamPage, Error> {
        let rows = sqlx::query(include_str!("../sql/stream_read.sql"))
            .bind(stream.tenant().as_str())
            .bind(stream.as_str())
            .bind(signed(after_version))
            .bind(signed(after.get()))
            .bind(i32::try_from(limit).unwrap_or(i32::MAX))
            .fetch_all(&mut *conn)
            .await
            .map_err(|e| database(format!("read stream {stream}"), e))?;
        let Some((head, rows)) = rows.split_first() else {
            return Err(Error::new(ErrorKind::Internal, "a read answered without its first row"));
        };
        let head = Head::read(head).map_err(|e| database(format!("read stream {stream}"), e))?;
        let events = self.events(conn, rows).await?;
        let last = events.last().map_or(after_version, |event| event.version);
        Ok(StreamPage {
            version: number(head.version),
            position: Position::new(number(head.position)),
            more: !events.is_empty() && last < number(head.version),
            events,
        })
    }

    pub(crate) async fn events(
        &self,
        conn: &mut PgConnection,
        rows: &[PgRow],
    ) -> Result<Vec<RawEvent>, Error> {
        let what = "read events";
        let mut events = Vec::with_capacity(rows.len());
        for row in rows {
            let type_id: i32 = row.try_get(5).map_err(|e| database(what, e))?;
            if self.types().name(type_id).is_none() {
                self.types().refresh(&mut *conn, false).await?;
            }
            events.push(self.event(row, type_id)?);
        }
        Ok(events)
    }

    fn event(&self, row: &PgRow, type_id: i32) -> Result<RawEvent, Error> {
        let what = "read an event";
        let parts = EventRow::read(row).map_err(|e| database(what, e))?;
        let Some(kind) = self.types().name(type_id) else {
            return Err(Error::new(
                ErrorKind::Internal,
                format!("position {} has event type {type_id}, which is not there", parts.position),
            ));
        };
        let position = Position::new(number(parts.position));
        Ok(RawEvent {
            stream: StreamName::parse(&Tenant::new(parts.tenant)?, parts.stream)?,
            version: number(parts.version),
            token: self.token(position),
            id: parts.event_id,
            kind: kind.name.clone(),
            schema_version: kind.schema_version,
            payload: json(position, parts.payload)?,
            metadata: parts.metadata.map(|text| json(position, text)).transpose()?,
            recorded: SystemTime::UNIX_EPOCH + Duration::from_micros(number(parts.recorded_us)),
        })
    }
}

/// The JSON of the event at a position.
pub(crate) fn json(position: Position, text: &str) -> Result<Box<RawValue>, Error> {
    RawValue::from_string(text.to_owned()).map_err(|e| {
        Error::new(ErrorKind::Decode, format!("position {position} is no JSON")).with_source(e)
    })
}

/// The row that holds no event: how far an answer reaches.
pub(crate) struct Head {
    pub(crate) position: i64,
    pub(crate) version: i64,
}

impl Head {
    pub(crate) fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self { position: row.try_get(0)?, version: row.try_get(1)? })
    }
}

struct EventRow<'r> {
    position: i64,
    version: i64,
    tenant: &'r str,
    stream: &'r str,
    event_id: Uuid,
    payload: &'r str,
    metadata: Option<&'r str>,
    recorded_us: i64,
}

impl<'r> EventRow<'r> {
    // By number, in the order of the statements: names are looked up for every row.
    fn read(row: &'r PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            position: row.try_get(0)?,
            version: row.try_get(1)?,
            tenant: row.try_get(2)?,
            stream: row.try_get(3)?,
            event_id: row.try_get(4)?,
            // PostgreSQL sends json as the text it is.
            payload: row.try_get_unchecked(6)?,
            metadata: row.try_get_unchecked(7)?,
            recorded_us: row.try_get(8)?,
        })
    }
}

#[async_trait]
impl StreamTail for EventStore {
    async fn tail(
        &self,
        stream: &StreamName,
        after_version: u64,
        after: Position,
        limit: u32,
    ) -> Result<Vec<RawEvent>, Error> {
        let mut conn = self.acquire().await?;
        Ok(self.stream_page(&mut conn, stream, after_version, after, limit).await?.events)
    }
}

pub(crate) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
