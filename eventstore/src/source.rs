//! The store as a source of settled events.

use async_trait::async_trait;
use foldlog_core::{BoxFuture, Error, Filter, Page, Position, Reader, Source, StoreId};
use foldlog_pg::{database, settled};
use sqlx::PgConnection;

use crate::append::number;
use crate::read::signed;
use crate::store::EventStore;

#[async_trait]
impl Source for EventStore {
    fn store(&self) -> StoreId {
        self.id()
    }

    async fn reader(&self) -> Result<Box<dyn Reader>, Error> {
        let conn = self.db().session("foldlog reader").await?;
        Ok(Box::new(StoreReader { store: self.clone(), conn }))
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

/// A page ends with the event that brings its payloads to so many bytes: memory is bounded whatever
/// the size of events.
const PAGE_BYTES_MAX: usize = 4 << 20;

/// Reads on one session of its own: what it knows of the end of the log ends with the session.
struct StoreReader {
    store: EventStore,
    conn: PgConnection,
}

#[async_trait]
impl Reader for StoreReader {
    async fn page(&mut self, filter: &Filter, after: Position, limit: u32) -> Result<Page, Error> {
        // A page of nothing could say nothing of how far it reaches.
        let limit = limit.max(1);
        let rows = sqlx::query(include_str!("../sql/all_read.sql"))
            .bind(signed(after.get()))
            .bind(i32::try_from(limit).unwrap_or(i32::MAX))
            .bind(i64::try_from(PAGE_BYTES_MAX).unwrap_or(i64::MAX))
            .bind(i32::from(filter.class.modulus()))
            .bind(i32::from(filter.class.remainder()))
            .bind(filter.categories.as_ref())
            .bind(filter.kinds.as_ref())
            .fetch_all(&mut self.conn)
            .await
            .map_err(|e| database("read settled events", e))?;
        let (head, events) = self.store.split(&mut self.conn, &rows).await?;
        // As the function counts: the event that reaches a limit is the last of the page.
        let bytes: usize = events.iter().map(|event| event.payload.get().len()).sum();
        let full = events.len() >= limit as usize || bytes >= PAGE_BYTES_MAX;
        let through = match events.last() {
            Some(last) if full => last.position(),
            _ => Position::new(number(head.position)),
        };
        Ok(Page { events, through: through.max(after), more: full })
    }
}
