//! A connection of the group: a session of its own, outside of any transaction.

use std::error::Error as StdError;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::{Duration, SystemTime};

use foldlog_core::{Error, ErrorKind};
use foldlog_pg::{Connection, Db, Session, driver};
use tokio::time::timeout;
use tokio_postgres::types::{FromSql, ToSql, Type};
use tokio_postgres::{Client, Row, Statement};
use uuid::Uuid;

use super::Losses;
use crate::call::{Answer, Columns};
use crate::driven::{driven, moves};
use crate::request::Request;
use crate::snapshot::SnapshotRow;

/// A server that has not answered by then, beyond the time a call may wait for a lock, is taken for
/// gone: everybody in the line waits as long. What it may have done is unknown then, and repeated.
const ANSWER_WAIT: Duration = Duration::from_secs(15);

/// A session and the statements it calls.
pub(super) struct Link {
    client: Client,
    // None when it has come to an end.
    connection: Option<Connection>,
    append: Statement,
    load: Statement,
    // Only where snapshots are asked for.
    load_behind: Option<Statement>,
    _end: Option<End>,
}

/// Counts the end of a session, by whatever it comes.
struct End(Losses);

impl Drop for End {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Link {
    pub(super) async fn open(db: &Db, application: &str) -> Result<Self, Error> {
        let Session { client, connection } = db.direct().session(application).await?;
        let mut connection = Some(connection);
        let prepare = async {
            client.batch_execute(include_str!("../../sql/append_session.sql")).await?;
            let append = client.prepare(include_str!("../../sql/append.sql")).await?;
            Ok((append, client.prepare(include_str!("../../sql/streams_read.sql")).await?))
        };
        let what = || format!("prepare a session of {application}");
        let prepared = timeout(ANSWER_WAIT, driven(&mut connection, prepare)).await;
        let prepared = prepared.map_err(|_| unanswered(&what()))?;
        let (append, load) = prepared.map_err(|e| driver(what(), e))?;
        Ok(Self { client, connection, append, load, load_behind: None, _end: None })
    }

    /// The same, with its end counted.
    pub(super) fn counted(self, losses: &Losses) -> Self {
        Self { _end: Some(End(Arc::clone(losses))), ..self }
    }

    /// Calls the append function. After an error that is not the server's answer the session is of no
    /// use.
    pub(super) async fn call(
        &mut self,
        columns: &Columns<'_>,
        wait_ms: i32,
    ) -> Result<Vec<Answer>, Error> {
        let c = columns;
        let arguments: [&(dyn ToSql + Sync); 19] = [
            &wait_ms,
            &c.tenants,
            &c.ids,
            &c.hashes,
            &c.replies,
            &c.stream_requests,
            &c.names,
            &c.expected,
            &c.event_streams,
            &c.event_ids,
            &c.types,
            &c.payloads,
            &c.metadata,
            &c.tags,
            &c.item_requests,
            &c.item_types,
            &c.item_tags,
            &c.item_after,
            &c.item_seen,
        ];
        let wait = ANSWER_WAIT + Duration::from_millis(wait_ms.unsigned_abs().into());
        let rows = self.query("append", self.append.clone(), &arguments, wait).await?;
        let rows = rows.iter().map(Answer::of).collect::<Result<Vec<_>, _>>();
        rows.map_err(|e| driver("read the answer of an append", e))
    }

    /// Reads streams beyond a version each, or behind a snapshot of a schema where one is given.
    pub(super) async fn load(
        &mut self,
        tenants: &[&str],
        streams: &[&str],
        after_versions: &[i64],
        schema_hashes: &[Option<&[u8]>],
        events_max: i32,
        bytes_max: i64,
    ) -> Result<Vec<LoadedRow>, Error> {
        let statement = match schema_hashes.iter().any(Option::is_some) {
            true => Some(self.load_behind().await?),
            false => None,
        };
        let rows = if let Some(statement) = statement {
            let arguments: [&(dyn ToSql + Sync); 6] =
                [&tenants, &streams, &after_versions, &schema_hashes, &events_max, &bytes_max];
            self.query("load streams", statement, &arguments, ANSWER_WAIT).await?
        } else {
            let arguments: [&(dyn ToSql + Sync); 5] =
                [&tenants, &streams, &after_versions, &events_max, &bytes_max];
            self.query("load streams", self.load.clone(), &arguments, ANSWER_WAIT).await?
        };
        let rows = rows.into_iter().map(LoadedRow::new).collect::<Result<Vec<_>, _>>();
        rows.map_err(|e| driver("load streams", e))
    }

    async fn load_behind(&mut self) -> Result<Statement, Error> {
        if let Some(statement) = &self.load_behind {
            return Ok(statement.clone());
        }
        let what = "prepare to load behind snapshots";
        let prepare = self.client.prepare(include_str!("../../sql/streams_load.sql"));
        let prepared = timeout(ANSWER_WAIT, driven(&mut self.connection, prepare)).await;
        if prepared.is_err() {
            self.connection = None;
        }
        let statement = prepared.map_err(|_| unanswered(what))?.map_err(|e| driver(what, e))?;
        self.load_behind = Some(statement.clone());
        Ok(statement)
    }

    async fn query(
        &mut self,
        what: &str,
        statement: Statement,
        arguments: &[&(dyn ToSql + Sync)],
        wait: Duration,
    ) -> Result<Vec<Row>, Error> {
        let call = driven(&mut self.connection, self.client.query(&statement, arguments));
        match timeout(wait, call).await {
            Ok(rows) => rows.map_err(|e| driver(what, e)),
            Err(_) => {
                self.connection = None;
                Err(unanswered(what))
            }
        }
    }

    /// Which process of the server holds a stream now; none if nobody does, or a prepared transaction.
    pub(super) async fn holder(&mut self, tenant: &str, stream: &str) -> Option<i32> {
        self.pid(include_str!("../../sql/stream_holder.sql"), &[&tenant, &stream]).await
    }

    /// Which process of the server holds the boundary of a request now.
    pub(super) async fn tag_holder(&mut self, request: &Request) -> Option<i32> {
        let (tenant, tags) = (request.tenant_name(), request.lock_tags());
        self.pid(include_str!("../../sql/tag_holder.sql"), &[&tenant, &tags]).await
    }

    async fn pid(&mut self, sql: &str, arguments: &[&(dyn ToSql + Sync)]) -> Option<i32> {
        let client = &self.client;
        let look =
            async { client.query_opt(sql, arguments).await.ok()??.try_get(0).ok().flatten() };
        timeout(ANSWER_WAIT, driven(&mut self.connection, look)).await.ok().flatten()
    }

    /// Whether it can be called.
    pub(super) fn is_open(&self) -> bool {
        self.connection.is_some() && !self.client.is_closed()
    }

    /// Resolves when the server ends the session.
    pub(super) async fn closed(&mut self) {
        poll_fn(|cx| {
            moves(&mut self.connection, cx);
            if self.connection.is_none() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

fn unanswered(what: &str) -> Error {
    Error::new(ErrorKind::Unavailable, format!("{what}: the server did not answer in time"))
}

/// The column that only `streams_load` has.
const IS_SNAPSHOT: usize = 11;

/// A row of a load, kept as it came.
pub(super) struct LoadedRow {
    row: Row,
    stream: i32,
}

/// The event of a row.
pub(super) struct LoadedEvent<'r> {
    pub(super) position: i64,
    pub(super) version: i64,
    pub(super) event_id: Uuid,
    pub(super) type_id: i32,
    pub(super) payload: &'r str,
    pub(super) metadata: Option<&'r str>,
    pub(super) recorded: SystemTime,
}

impl LoadedRow {
    fn new(row: Row) -> Result<Self, tokio_postgres::Error> {
        Ok(Self { stream: row.try_get(0)?, row })
    }

    /// Of which of the streams that were asked for.
    pub(super) fn stream(&self) -> i32 {
        self.stream
    }

    /// Whether it is no event's but that of a snapshot, of which [`snapshot`](Self::snapshot) reads the
    /// rest.
    pub(super) fn is_snapshot(&self) -> bool {
        self.row.len() > IS_SNAPSHOT && matches!(self.row.try_get(IS_SNAPSHOT), Ok(true))
    }

    pub(super) fn snapshot(&self) -> Result<SnapshotRow<'_>, Error> {
        let read = || {
            Ok(SnapshotRow {
                position: self.row.try_get(3)?,
                version: self.row.try_get(4)?,
                state: self.row.try_get::<_, JsonText<'_>>(7)?.0,
            })
        };
        read().map_err(|e| driver("read a snapshot", e))
    }

    /// The version of the stream, and the position of its last event.
    pub(super) fn end(&self) -> Result<(i64, i64), Error> {
        let read = || Ok((self.row.try_get(1)?, self.row.try_get(2)?));
        read().map_err(|e| driver("read a load", e))
    }

    /// Whether the stream was archived, truncated or tombstoned.
    pub(super) fn is_marked(&self) -> Result<bool, Error> {
        let marks: Result<Option<JsonText<'_>>, _> = self.row.try_get(10);
        Ok(marks.map_err(|e| driver("read a load", e))?.is_some())
    }

    pub(super) fn event(&self) -> Result<Option<LoadedEvent<'_>>, Error> {
        self.read().map_err(|e| driver("read a load", e))
    }

    fn read(&self) -> Result<Option<LoadedEvent<'_>>, tokio_postgres::Error> {
        let row = &self.row;
        let Some(position) = row.try_get(3)? else { return Ok(None) };
        Ok(Some(LoadedEvent {
            position,
            version: row.try_get(4)?,
            event_id: row.try_get(5)?,
            type_id: row.try_get(6)?,
            payload: row.try_get::<_, JsonText<'_>>(7)?.0,
            metadata: row.try_get::<_, Option<JsonText<'_>>>(8)?.map(|text| text.0),
            recorded: row.try_get(9)?,
        }))
    }
}

/// PostgreSQL sends json as the text it is.
struct JsonText<'r>(&'r str);

impl<'r> FromSql<'r> for JsonText<'r> {
    fn from_sql(_: &Type, raw: &'r [u8]) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Self(std::str::from_utf8(raw)?))
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::JSON
    }
}
