//! Reading a stream, a page at a time, in either direction.

mod raw;
mod row;

use async_trait::async_trait;
use foldlog_core::{Error, ErrorKind, Position, RawEvent, StreamName, StreamTail};
use foldlog_pg::database;
use sqlx::PgConnection;
use sqlx::postgres::PgRow;

use crate::call::number;
use crate::group::{LOAD_EVENTS_MAX, Short};
use crate::mark::{Cut, Marks};
use crate::store::EventStore;

pub(crate) use raw::json;
pub(crate) use row::{Head, since_epoch};

/// A page ends with the event that brings its payloads and metadata to so many bytes: memory is
/// bounded whatever the size of events.
pub(crate) const PAGE_BYTES_MAX: i64 = 4 << 20;

/// A piece of one stream.
#[derive(Clone, Debug)]
pub struct StreamPage {
    /// The events, by version; from the last down if it was read backward.
    pub events: Vec<RawEvent>,
    /// The version of the stream; 0 if it does not exist.
    pub version: u64,
    /// The position of its last event.
    pub position: Position,
    /// Whether the page ended at a limit, before the stream does.
    pub more: bool,
    /// Where the stream begins, if it was truncated: whoever folds it asks whether it
    /// [continues](Cut::continues).
    pub cut: Option<Cut>,
}

impl EventStore {
    /// The events of a stream after a version, at most `limit`, and no more once they have 4 MiB.
    /// A truncated stream begins at its [cut](StreamPage::cut).
    ///
    /// Dropping the future leaves nothing behind.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Tombstoned`], with the [`Mark`](crate::Mark), if the stream was; those of the database.
    pub async fn read_stream(
        &self,
        stream: &StreamName,
        after_version: u64,
        limit: u32,
    ) -> Result<StreamPage, Error> {
        if limit >= LOAD_EVENTS_MAX
            && let Some(Ok(Short::Whole(load))) =
                self.group().load(stream, after_version, None).await
        {
            return Ok(load.page);
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
        let (after, bytes) = (Position::START, PAGE_BYTES_MAX);
        let page = Forward { after_version, after, limit, bytes, past_marks: false };
        self.stream_page(conn, stream, page).await
    }

    /// The events of a stream before a version, from the last down: at most `limit`, and no more once
    /// they have 4 MiB. `u64::MAX` begins at the end of the stream; the next page is the one before
    /// the last event of this one.
    ///
    /// However long the stream is, only what is in the page is read. Dropping the future leaves
    /// nothing behind.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn read_stream_back(
        &self,
        stream: &StreamName,
        before_version: u64,
        limit: u32,
    ) -> Result<StreamPage, Error> {
        let mut conn = self.acquire().await?;
        self.read_stream_back_in(&mut conn, stream, before_version, limit).await
    }

    /// The same in the caller's transaction, as [`read_stream_in`](Self::read_stream_in).
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn read_stream_back_in(
        &self,
        conn: &mut PgConnection,
        stream: &StreamName,
        before_version: u64,
        limit: u32,
    ) -> Result<StreamPage, Error> {
        let rows = sqlx::query(include_str!("../sql/stream_read_back.sql"))
            .bind(stream.tenant().as_str())
            .bind(stream.as_str())
            .bind(signed(before_version))
            .bind(i32::try_from(limit).unwrap_or(i32::MAX))
            .bind(PAGE_BYTES_MAX)
            .fetch_all(&mut *conn)
            .await
            .map_err(|e| database(format!("read stream {stream} backward"), e))?;
        let (head, events) = self.answer(conn, stream, &rows).await?;
        let cut = head.cut(stream)?;
        let first = cut.as_ref().map_or(1, |cut| cut.first_version);
        let lowest = events.last().map_or(first, |event| event.version);
        Ok(head.page(events, lowest > first, cut))
    }

    async fn stream_page(
        &self,
        conn: &mut PgConnection,
        stream: &StreamName,
        page: Forward,
    ) -> Result<StreamPage, Error> {
        let rows = sqlx::query(include_str!("../sql/stream_read.sql"))
            .bind(stream.tenant().as_str())
            .bind(stream.as_str())
            .bind(signed(page.after_version))
            .bind(signed(page.after.get()))
            .bind(i32::try_from(page.limit).unwrap_or(i32::MAX))
            .bind(page.bytes)
            .bind(page.past_marks)
            .fetch_all(&mut *conn)
            .await
            .map_err(|e| database(format!("read stream {stream}"), e))?;
        self.forward_page(conn, stream, &rows, page.past_marks).await
    }

    /// The page of a read in the order of versions.
    pub(crate) async fn forward_page(
        &self,
        conn: &mut PgConnection,
        stream: &StreamName,
        rows: &[PgRow],
        past_marks: bool,
    ) -> Result<StreamPage, Error> {
        let (head, events) = self.answer(conn, stream, rows).await?;
        let more = events.last().is_some_and(|last| last.version < number(head.version));
        let cut = if past_marks { None } else { head.cut(stream)? };
        Ok(head.page(events, more, cut))
    }

    async fn answer(
        &self,
        conn: &mut PgConnection,
        stream: &StreamName,
        rows: &[PgRow],
    ) -> Result<(Head, Vec<RawEvent>), Error> {
        let Some((head, rows)) = rows.split_first() else {
            return Err(Error::new(ErrorKind::Internal, "a read answered without its first row"));
        };
        let head = Head::read(head).map_err(|e| database(format!("read stream {stream}"), e))?;
        Ok((head, self.events(conn, rows, |_, _| Ok(stream.clone())).await?))
    }
}

/// What is asked for of a stream.
struct Forward {
    after_version: u64,
    after: Position,
    limit: u32,
    bytes: i64,
    past_marks: bool,
}

impl Head {
    fn page(&self, events: Vec<RawEvent>, more: bool, cut: Option<Cut>) -> StreamPage {
        let (version, position) = (number(self.version), Position::new(number(self.position)));
        StreamPage { events, version, position, more, cut }
    }

    fn cut(&self, stream: &StreamName) -> Result<Option<Cut>, Error> {
        let Some(marks) = &self.marks else { return Ok(None) };
        Marks::parse(marks)?.for_readers(stream)
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
        // Fewer events than the limit say that the stream ends there: no bound in bytes. Past its marks,
        // for this is folded behind what the settled order has brought, and that knows no marks.
        let page = Forward { after_version, after, limit, bytes: i64::MAX, past_marks: true };
        Ok(self.stream_page(&mut conn, stream, page).await?.events)
    }
}

pub(crate) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
