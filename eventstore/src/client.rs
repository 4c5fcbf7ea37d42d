//! The store in a transaction of tokio-postgres.

use std::time::SystemTime;

use foldlog_core::{BoxFuture, Error, ErrorKind, Position, RawEvent, StreamName, Tenant};
use foldlog_pg::driver;
use serde_json::value::RawValue;
use tokio_postgres::types::{Json, ToSql, Type};
use tokio_postgres::{GenericClient, Row};
use uuid::Uuid;

use crate::append::{AppendError, Appended, refused};
use crate::call::{Answer, Columns, number};
use crate::mark::Marks;
use crate::read::{PAGE_BYTES_MAX, StreamPage, signed};
use crate::request::Request;
use crate::since::Since;
use crate::snapshot::{Snapshot, SnapshotSchema, StreamLoad};
use crate::store::{EventStore, Receipt};

/// A transaction of tokio-postgres, or a client in one. Borrowed, and cheap to copy.
#[derive(Clone, Copy)]
pub struct TokioClient<'c>(&'c dyn Query);

type Argument<'a> = (&'a (dyn ToSql + Sync), Type);

/// One statement with its arguments, sent at once: nothing is prepared, and nothing is left on the
/// user's session.
trait Query: Send + Sync {
    fn query<'a>(
        &'a self,
        sql: &'a str,
        arguments: &'a [Argument<'a>],
    ) -> BoxFuture<'a, Result<Vec<Row>, tokio_postgres::Error>>;
}

impl<C: GenericClient + Send + Sync> Query for C {
    fn query<'a>(
        &'a self,
        sql: &'a str,
        arguments: &'a [Argument<'a>],
    ) -> BoxFuture<'a, Result<Vec<Row>, tokio_postgres::Error>> {
        self.query_typed(sql, arguments)
    }
}

impl<'c> TokioClient<'c> {
    /// Of a [`Transaction`](tokio_postgres::Transaction), or of a client or a pooled one that has
    /// begun a transaction.
    pub fn new(client: &'c (impl GenericClient + Send + Sync)) -> Self {
        Self(client)
    }
}

impl std::fmt::Debug for TokioClient<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokioClient").finish_non_exhaustive()
    }
}

impl EventStore {
    /// As [`append_in`](Self::append_in), in a transaction of tokio-postgres. Event types that nobody
    /// has registered are made known on a session of their own.
    ///
    /// # Errors
    ///
    /// As [`append_in`](Self::append_in).
    pub async fn append_in_tokio(
        &self,
        client: TokioClient<'_>,
        request: &Request,
    ) -> Result<Appended, AppendError> {
        self.touch_streams().await?;
        let types = match self.types().known(request) {
            Some(types) => types,
            None => {
                let made = self.ensure_types(request).await;
                made.map_err(|error| refused(request, error))?;
                self.types().known(request).ok_or_else(|| {
                    Error::new(ErrorKind::Retry, "append: event types were lost as they were made")
                })?
            }
        };
        let result = self.call_tokio(client, request, &types).await;
        self.after_call_in(request, result).await
    }

    async fn call_tokio(
        &self,
        client: TokioClient<'_>,
        request: &Request,
        types: &[i32],
    ) -> Result<Appended, AppendError> {
        let mut c = Columns::default();
        c.push(request, types);
        let c = c.finish();
        let wait_ms: Option<i32> = None;
        let arguments: [Argument<'_>; 19] = [
            (&wait_ms, Type::INT4),
            (&c.tenants, Type::TEXT_ARRAY),
            (&c.ids, Type::UUID_ARRAY),
            (&c.hashes, Type::BYTEA_ARRAY),
            (&c.replies, Type::TEXT_ARRAY),
            (&c.stream_requests, Type::INT4_ARRAY),
            (&c.names, Type::TEXT_ARRAY),
            (&c.expected, Type::INT8_ARRAY),
            (&c.event_streams, Type::INT4_ARRAY),
            (&c.event_ids, Type::UUID_ARRAY),
            (&c.types, Type::INT4_ARRAY),
            (&c.payloads, Type::TEXT_ARRAY),
            (&c.metadata, Type::TEXT_ARRAY),
            (&c.tags, Type::TEXT_ARRAY),
            (&c.item_requests, Type::INT4_ARRAY),
            (&c.item_types, Type::TEXT_ARRAY),
            (&c.item_tags, Type::TEXT_ARRAY),
            (&c.item_after, Type::INT8_ARRAY),
            (&c.item_seen, Type::TEXT_ARRAY),
        ];
        let rows = client.0.query(include_str!("../sql/append.sql"), &arguments).await;
        let rows = rows.map_err(|e| self.failed(request, driver("append", e)))?;
        let rows = rows.iter().map(Answer::of).collect::<Result<Vec<_>, _>>();
        let rows = rows.map_err(|e| driver("read the answer of an append", e))?;
        self.answered(request, &rows)
    }

    /// As [`read_stream_in`](Self::read_stream_in), in a transaction of tokio-postgres.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn read_stream_in_tokio(
        &self,
        client: TokioClient<'_>,
        stream: &StreamName,
        after_version: u64,
        limit: u32,
    ) -> Result<StreamPage, Error> {
        let what = || format!("read stream {stream}");
        let (tenants, names) = (vec![stream.tenant().as_str()], vec![stream.as_str()]);
        let versions = vec![signed(after_version)];
        let limit = i32::try_from(limit).unwrap_or(i32::MAX);
        let arguments: [Argument<'_>; 5] = [
            (&tenants, Type::TEXT_ARRAY),
            (&names, Type::TEXT_ARRAY),
            (&versions, Type::INT8_ARRAY),
            (&limit, Type::INT4),
            (&PAGE_BYTES_MAX, Type::INT8),
        ];
        let rows = client.0.query(include_str!("../sql/streams_read.sql"), &arguments).await;
        let rows = rows.map_err(|e| driver(what(), e))?;
        let Some(first) = rows.first() else {
            return Err(Error::new(ErrorKind::Internal, "a read answered without its first row"));
        };
        let end = || Ok((first.try_get(1)?, first.try_get(2)?, first.try_get("marks")?));
        let (version, position, marks): (i64, i64, Option<Json<Marks>>) =
            end().map_err(|e| driver(what(), e))?;
        let cut = match marks {
            Some(Json(marks)) => marks.for_readers(stream)?,
            None => None,
        };
        let mut events = Vec::with_capacity(rows.len());
        for row in &rows {
            let Some(event) = EventRow::read(row).map_err(|e| driver(what(), e))? else { break };
            events.push(self.event_of(stream, event).await?);
        }
        let version = number(version);
        Ok(StreamPage {
            version,
            position: Position::new(number(position)),
            more: events.last().is_some_and(|last: &RawEvent| last.version < version),
            events,
            cut,
        })
    }

    /// As [`load_stream_in`](Self::load_stream_in), in a transaction of tokio-postgres.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn load_stream_in_tokio(
        &self,
        client: TokioClient<'_>,
        stream: &StreamName,
        schema: SnapshotSchema<'_>,
        to_version: u64,
        limit: u32,
    ) -> Result<StreamLoad, Error> {
        let what = || format!("load stream {stream}");
        let (tenant, name, hash) =
            (stream.tenant().as_str(), stream.as_str(), schema.hash.as_slice());
        let (to_version, limit) = (signed(to_version), i32::try_from(limit).unwrap_or(i32::MAX));
        let arguments: [Argument<'_>; 6] = [
            (&tenant, Type::TEXT),
            (&name, Type::TEXT),
            (&to_version, Type::INT8),
            (&hash, Type::BYTEA),
            (&limit, Type::INT4),
            (&PAGE_BYTES_MAX, Type::INT8),
        ];
        let rows = client.0.query(include_str!("../sql/stream_load.sql"), &arguments).await;
        let mut rows = rows.map_err(|e| driver(what(), e))?.into_iter().peekable();
        let snapshot = match rows.peek().map(snapshot) {
            Some(read) => read.map_err(|e| driver(what(), e))?,
            None => None,
        };
        if snapshot.is_some() {
            rows.next();
        }
        let Some(head) = rows.next() else {
            return Err(Error::new(ErrorKind::Internal, "a load answered without its first row"));
        };
        let end =
            || Ok((head.try_get("version")?, head.try_get("position")?, head.try_get("payload")?));
        let (version, position, marks): (i64, i64, Option<Json<Marks>>) =
            end().map_err(|e| driver(what(), e))?;
        let cut = match marks {
            Some(Json(marks)) => marks.for_readers(stream)?,
            None => None,
        };
        let mut events = Vec::new();
        for row in rows {
            let Some(event) = EventRow::read(&row).map_err(|e| driver(what(), e))? else { break };
            events.push(self.event_of(stream, event).await?);
        }
        let (version, position) = (number(version), Position::new(number(position)));
        let more = events.last().is_some_and(|last: &RawEvent| last.version < version);
        Ok(StreamLoad { snapshot, page: StreamPage { events, version, position, more, cut } })
    }

    async fn event_of(&self, stream: &StreamName, row: EventRow) -> Result<RawEvent, Error> {
        let position = Position::new(number(row.position));
        if self.types().name(row.type_id).is_none() {
            // What others have registered since is committed, for this transaction has seen it.
            let mut conn = self.acquire().await?;
            self.types().refresh(&mut conn, true).await?;
        }
        let Some(kind) = self.types().name(row.type_id) else {
            return Err(Error::new(
                ErrorKind::Internal,
                format!("position {position} has event type {}, which is not there", row.type_id),
            ));
        };
        Ok(RawEvent {
            stream: stream.clone(),
            version: number(row.version),
            token: self.token(position),
            id: row.event_id,
            kind: kind.name.clone(),
            schema_version: kind.schema_version,
            payload: row.payload,
            metadata: row.metadata,
            recorded: row.recorded,
        })
    }

    /// As [`since_in`](Self::since_in), in a transaction of tokio-postgres.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn since_in_tokio(
        &self,
        client: TokioClient<'_>,
        stream: &StreamName,
        after_version: u64,
    ) -> Result<Since, Error> {
        let limit = Since::NAMED_MAX;
        let page = self.read_stream_in_tokio(client, stream, after_version, limit).await?;
        Ok(Since::of(&page, after_version))
    }

    /// As [`receipt_in`](Self::receipt_in), in a transaction of tokio-postgres.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn receipt_in_tokio(
        &self,
        client: TokioClient<'_>,
        tenant: &Tenant,
        id: Uuid,
    ) -> Result<Option<Receipt>, Error> {
        let what = "read a receipt";
        let tenant = tenant.as_str();
        let arguments: [Argument<'_>; 2] = [(&tenant, Type::TEXT), (&id, Type::UUID)];
        let rows = client.0.query(include_str!("../sql/receipt_read.sql"), &arguments).await;
        let rows = rows.map_err(|e| driver(what, e))?;
        let Some(row) = rows.first() else { return Ok(None) };
        let read = || {
            Ok(self.receipt_of(row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?))
        };
        read().map(Some).map_err(|e| driver(what, e))
    }
}

/// The snapshot, if the row is that of one.
fn snapshot(row: &Row) -> Result<Option<Snapshot>, tokio_postgres::Error> {
    if !row.try_get::<_, bool>("is_snapshot")? {
        return Ok(None);
    }
    Ok(Some(Snapshot {
        version: number(row.try_get("version")?),
        position: Position::new(number(row.try_get("position")?)),
        state: row.try_get::<_, Json<_>>("payload")?.0,
    }))
}

struct EventRow {
    position: i64,
    version: i64,
    event_id: Uuid,
    type_id: i32,
    payload: Box<RawValue>,
    metadata: Option<Box<RawValue>>,
    recorded: SystemTime,
}

impl EventRow {
    /// None if the stream has no event there.
    fn read(row: &Row) -> Result<Option<Self>, tokio_postgres::Error> {
        let Some(position) = row.try_get("position")? else { return Ok(None) };
        Ok(Some(Self {
            position,
            version: row.try_get("version")?,
            event_id: row.try_get("event_id")?,
            type_id: row.try_get("type_id")?,
            payload: row.try_get::<_, Json<_>>("payload")?.0,
            metadata: row.try_get::<_, Option<Json<_>>>("metadata")?.map(|json| json.0),
            recorded: row.try_get("recorded_at")?,
        }))
    }
}
