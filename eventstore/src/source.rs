//! The store as a source of settled events.

use async_trait::async_trait;
use foldlog_core::{
    BoxFuture, Error, ErrorKind, Filter, Page, Position, RawEvent, Reader, Source, StoreId,
};
use foldlog_pg::{database, settled};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use crate::call::number;
use crate::names::ServerLife;
use crate::read::{Head, PAGE_BYTES_MAX, signed};
use crate::store::EventStore;

#[async_trait]
impl Source for EventStore {
    fn store(&self) -> StoreId {
        self.id()
    }

    async fn reader(&self) -> Result<Box<dyn Reader>, Error> {
        let conn = self.db().session("foldlog reader").await?;
        Ok(Box::new(StoreReader { store: self.clone(), conn, life: None }))
    }

    fn woken(&self) -> BoxFuture<'static, ()> {
        Box::pin(self.wake().woken())
    }

    async fn blocker(&self) -> Result<Option<String>, Error> {
        let mut conn = self.acquire().await?;
        let holder = settled::holder(&mut conn, settled::EVENT_LOG).await?;
        Ok(holder.map(|holder| holder.to_string()))
    }
}

/// Reads on one session of its own: what it knows of the end of the log ends with the session.
struct StoreReader {
    store: EventStore,
    conn: PgConnection,
    // Of the server it is a session of, once it was asked.
    life: Option<ServerLife>,
}

#[async_trait]
impl Reader for StoreReader {
    async fn page(&mut self, filter: &Filter, after: Position, limit: u32) -> Result<Page, Error> {
        // A page of nothing could say nothing of how far it reaches.
        let limit = limit.max(1);
        let rows = sqlx::query(include_str!("../sql/all_read.sql"))
            .bind(signed(after.get()))
            .bind(i32::try_from(limit).unwrap_or(i32::MAX))
            .bind(PAGE_BYTES_MAX)
            .bind(i32::from(filter.class.modulus()))
            .bind(i32::from(filter.class.remainder()))
            .bind(filter.categories.as_ref())
            .bind(filter.kinds.as_ref())
            .fetch_all(&mut self.conn)
            .await
            .map_err(|e| database("read settled events", e))?;
        let Some((end, rows)) = rows.split_last() else {
            return Err(Error::new(ErrorKind::Internal, "a read answered without its last row"));
        };
        let end = Head::read(end).map_err(|e| database("read settled events", e))?;
        let events = self.named(rows).await?;
        let through = Position::new(number(end.position)).max(after);
        Ok(Page { events, through, more: end.version == 1 })
    }
}

impl StoreReader {
    /// The events of rows that give their streams by id.
    async fn named(&mut self, rows: &[PgRow]) -> Result<Vec<RawEvent>, Error> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let life = match self.life {
            Some(life) => life,
            None => *self.life.insert(ServerLife::of(&mut self.conn).await?),
        };
        let ids: Result<Vec<i64>, _> = rows.iter().map(|row| row.try_get(7)).collect();
        let ids = ids.map_err(|e| database("read settled events", e))?;
        let names = self.store.names().resolve(life, &mut self.conn, &ids).await?;
        let stream = |place: usize, _: &PgRow| names.get(place).cloned().ok_or_else(short);
        self.store.events(&mut self.conn, rows, stream).await
    }
}

fn short() -> Error {
    Error::new(ErrorKind::Internal, "an event came without its stream")
}
