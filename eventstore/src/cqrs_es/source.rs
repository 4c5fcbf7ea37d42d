//! The table that is read: one session, one snapshot, row by row.

use std::pin::Pin;
use std::task::{Context, Poll};

use foldlog_core::{Error, ErrorKind};
use foldlog_pg::{Connection, Endpoint, Session, driver};
use futures_util::{Stream, StreamExt as _};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, RowStream};

use crate::call::number;
use crate::driven::{driven, moves};

/// What stands for the table in our statements.
const TABLE: &str = "source_events";

/// A table as cqrs-es makes it.
pub(super) struct Source {
    client: Client,
    connection: Option<Connection>,
    table: String,
}

/// A row of it.
#[derive(Debug)]
pub(super) struct SourceRow {
    pub(super) aggregate_type: String,
    pub(super) aggregate_id: String,
    pub(super) sequence: i64,
    pub(super) event_type: String,
    pub(super) event_version: String,
    pub(super) payload: String,
    pub(super) metadata: String,
    /// In microseconds since 1970, where the field is there and can be read.
    pub(super) recorded_us: Option<i64>,
}

impl Source {
    pub(super) async fn open(endpoint: &Endpoint, table: &str) -> Result<Self, Error> {
        let Session { client, connection } = endpoint.session("foldlog import source").await?;
        let mut connection = Some(connection);
        let what = || format!("look for table {table}");
        let find = async {
            client.batch_execute(include_str!("../../sql/cqrs_es_session.sql")).await?;
            client.batch_execute(include_str!("../../sql/cqrs_es_begin.sql")).await?;
            client.query_one(include_str!("../../sql/cqrs_es_table.sql"), &[&table]).await
        };
        let row = driven(&mut connection, find).await.map_err(|e| driver(what(), e))?;
        let quoted: Option<String> = row.try_get(0).map_err(|e| driver(what(), e))?;
        let table = quoted.ok_or_else(|| {
            Error::new(
                ErrorKind::Setup,
                format!(
                    "there is no table {table}, or none that this role sees: name the table of \
                     events, with its schema if it is in none of the search path"
                ),
            )
        })?;
        Ok(Self { client, connection, table })
    }

    /// Every row, stream by stream or by time.
    pub(super) async fn rows(
        &mut self,
        by_time: bool,
        field: Option<&str>,
    ) -> Result<Rows<'_>, Error> {
        let sql = if by_time {
            include_str!("../../sql/cqrs_es_by_time.sql")
        } else {
            include_str!("../../sql/cqrs_es_by_stream.sql")
        };
        self.query(sql, &[(&field, Type::TEXT)]).await
    }

    /// The rows of one stream; of those only what a stream does not say.
    pub(super) async fn one(
        &mut self,
        aggregate_type: &str,
        aggregate_id: &str,
    ) -> Result<Rows<'_>, Error> {
        let sql = include_str!("../../sql/cqrs_es_one.sql");
        self.query(sql, &[(&aggregate_type, Type::TEXT), (&aggregate_id, Type::TEXT)]).await
    }

    async fn query(
        &mut self,
        sql: &str,
        arguments: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<Rows<'_>, Error> {
        let sql = sql.replace(TABLE, &self.table);
        let arguments = arguments.iter().map(|(value, kind)| (*value, kind.clone()));
        let rows = driven(&mut self.connection, self.client.query_typed_raw(&sql, arguments));
        let rows = rows.await.map_err(reading)?;
        Ok(Rows { rows: Box::pin(rows), connection: &mut self.connection })
    }
}

/// Rows as they come: no more is in memory than the session's buffer.
pub(super) struct Rows<'s> {
    rows: Pin<Box<RowStream>>,
    connection: &'s mut Option<Connection>,
}

impl Stream for Rows<'_> {
    type Item = Result<tokio_postgres::Row, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Self { rows, connection } = self.get_mut();
        let next = match rows.poll_next_unpin(cx) {
            Poll::Ready(next) => Poll::Ready(next),
            Poll::Pending => {
                moves(connection, cx);
                rows.poll_next_unpin(cx)
            }
        };
        next.map(|next| next.map(|row| row.map_err(reading)))
    }
}

impl SourceRow {
    pub(super) fn read(row: &tokio_postgres::Row) -> Result<Self, Error> {
        let read = || {
            Ok(Self {
                aggregate_type: row.try_get(0)?,
                aggregate_id: row.try_get(1)?,
                sequence: row.try_get(2)?,
                event_type: row.try_get(3)?,
                event_version: row.try_get(4)?,
                payload: row.try_get(5)?,
                metadata: row.try_get(6)?,
                recorded_us: row.try_get(7)?,
            })
        };
        read().map_err(reading)
    }

    /// A row of one stream.
    pub(super) fn read_one(
        row: &tokio_postgres::Row,
        (aggregate_type, aggregate_id): &(String, String),
    ) -> Result<Self, Error> {
        let read = || {
            Ok(Self {
                aggregate_type: aggregate_type.clone(),
                aggregate_id: aggregate_id.clone(),
                sequence: row.try_get(0)?,
                event_type: row.try_get(1)?,
                event_version: row.try_get(2)?,
                payload: row.try_get(3)?,
                metadata: "{}".to_owned(),
                recorded_us: None,
            })
        };
        read().map_err(reading)
    }

    /// Where it stands, for people.
    pub(super) fn place(&self) -> String {
        format!("event {} of {} {}", self.sequence, self.aggregate_type, self.aggregate_id)
    }

    /// The version it gets, where its table counts from `first`.
    pub(super) fn version(&self, first: i64) -> u64 {
        number(self.sequence.saturating_sub(first).saturating_add(1))
    }
}

fn reading(error: tokio_postgres::Error) -> Error {
    driver("read the table of cqrs-es", error)
}
