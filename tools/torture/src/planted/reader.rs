//! Readers as they are popular: each is wrong.

use foldlog_core::{Error, ErrorKind, Page, Position, RawEvent, Tenant};
use foldlog_eventstore::EventStore;
use foldlog_pg::database;
use serde_json::value::RawValue;
use sqlx::postgres::PgRow;
use sqlx::{Connection as _, PgConnection, Row as _};
use uuid::Uuid;

use crate::bug::Bug;
use crate::domain::{signed, unsigned};

pub struct PlantedReader {
    bug: Bug,
    store: EventStore,
    conn: Option<PgConnection>,
    // Where the reader that orders by transaction stands.
    transaction: i64,
}

/// The reader with this bug, if it is a reader's.
#[must_use]
pub fn planted(bug: Bug, store: &EventStore) -> Option<PlantedReader> {
    let is_readers = matches!(
        bug,
        Bug::PlainCursor
            | Bug::XminFilter
            | Bug::OrderByXid
            | Bug::SettledAfterRows
            | Bug::RepeatableRead
    );
    let store = store.clone();
    is_readers.then_some(PlantedReader { bug, store, conn: None, transaction: 0 })
}

impl PlantedReader {
    /// The next events, as this reader sees it.
    ///
    /// # Errors
    ///
    /// Those of the database; the session is gone then.
    pub async fn page(&mut self, after: Position, limit: u32) -> Result<Page, Error> {
        // Taken out, so that a dropped future drops the session.
        let mut conn = match self.conn.take() {
            Some(conn) => conn,
            None => self.store.db().session("torture planted").await?,
        };
        let failed = |e| database("read as popular readers do", e);
        let after = signed(after.get());
        let (rows, through) = self.rows(&mut conn, after, limit).await.map_err(failed)?;
        self.conn = Some(conn);
        let events: Vec<RawEvent> =
            rows.iter().map(|row| self.event(row)).collect::<Result<_, _>>()?;
        if self.bug == Bug::OrderByXid
            && let Some(row) = rows.last()
        {
            self.transaction = row.try_get(7).map_err(failed)?;
        }
        let last = events.last().map_or(unsigned(after), |event| event.position().get());
        if events.is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
        Ok(Page {
            more: false,
            through: Position::new(through.map_or(last, |through| unsigned(through).max(last))),
            events,
        })
    }

    async fn rows(
        &self,
        conn: &mut PgConnection,
        after: i64,
        limit: u32,
    ) -> Result<(Vec<PgRow>, Option<i64>), sqlx::Error> {
        let statement = match self.bug {
            Bug::XminFilter => include_str!("../../sql/planted/event_read_xmin.sql"),
            Bug::OrderByXid => include_str!("../../sql/planted/event_read_xid.sql"),
            _ => include_str!("../../sql/planted/event_read_plain.sql"),
        };
        let settled = include_str!("../../sql/planted/settled_read.sql");
        let ask = sqlx::query(statement).bind(after).bind(i64::from(limit)).bind(self.transaction);
        match self.bug {
            Bug::SettledAfterRows => {
                let rows = ask.fetch_all(&mut *conn).await?;
                let settled: i64 = sqlx::query_scalar(settled).fetch_one(conn).await?;
                Ok(cut(rows, settled, limit))
            }
            Bug::RepeatableRead => {
                let mut tx = conn.begin().await?;
                sqlx::query(include_str!("../../sql/isolation_repeatable.sql"))
                    .execute(&mut *tx)
                    .await?;
                // The first statement takes the snapshot that all three see.
                sqlx::query(include_str!("../../sql/backend_pid.sql")).execute(&mut *tx).await?;
                let settled: i64 = sqlx::query_scalar(settled).fetch_one(&mut *tx).await?;
                let rows = ask.fetch_all(&mut *tx).await?;
                tx.commit().await?;
                Ok(cut(rows, settled, limit))
            }
            _ => Ok((ask.fetch_all(conn).await?, None)),
        }
    }

    fn event(&self, row: &PgRow) -> Result<RawEvent, Error> {
        let failed = |e| database("read an event", e);
        let name: String = row.try_get(1).map_err(failed)?;
        let payload: String = row.try_get(4).map_err(failed)?;
        let version: i64 = row.try_get(2).map_err(failed)?;
        let position: i64 = row.try_get(0).map_err(failed)?;
        let id: Uuid = row.try_get(3).map_err(failed)?;
        let kind: String = row.try_get(5).map_err(failed)?;
        let broken = |e| Error::new(ErrorKind::Decode, "an event is no JSON").with_source(e);
        Ok(RawEvent {
            stream: foldlog_core::StreamName::parse(&Tenant::default(), &name)?,
            version: unsigned(version),
            token: self.store.token(Position::new(unsigned(position))),
            id,
            kind: kind.into(),
            schema_version: 1,
            payload: RawValue::from_string(payload).map_err(broken)?,
            metadata: None,
            recorded: std::time::SystemTime::UNIX_EPOCH,
        })
    }
}

/// Up to the settled position; and that, where the page did not end at its limit.
fn cut(mut rows: Vec<PgRow>, settled: i64, limit: u32) -> (Vec<PgRow>, Option<i64>) {
    let full = rows.len() >= limit as usize;
    rows.retain(|row| row.try_get::<i64, _>(0).is_ok_and(|position| position <= settled));
    (rows, (!full).then_some(settled))
}
