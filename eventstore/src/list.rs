//! What there is: streams, categories, and the types of their events.

use std::time::SystemTime;

use foldlog_core::{Error, ErrorKind, Position, StreamName, Tenant};
use foldlog_pg::database;
use sqlx::Row;
use sqlx::postgres::PgRow;

use crate::call::number;
use crate::mark::Mark;
use crate::read::since_epoch;
use crate::store::EventStore;

/// How many streams are listed at once, unless something else is asked for.
const PAGE_STREAMS: u32 = 1_000;

/// A stream, as it stood when it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamInfo {
    /// The name and the tenant; the category is in it.
    pub name: StreamName,
    /// The version: that of its last event.
    pub version: u64,
    /// The position of its first event, of those that were not cut off.
    pub first: Position,
    /// The position of its last event.
    pub last: Position,
    /// The slice.
    pub slice: u16,
    /// What may be done with it.
    pub state: StreamState,
    /// The version of the first event that readers see: 1 unless it was truncated.
    pub first_version: u64,
    /// The last mark it was given: who, when, why.
    pub mark: Option<Mark>,
    /// When its row was made, by the server's clock: with its first event, or by an append that was
    /// refused before.
    pub created: SystemTime,
}

impl StreamInfo {
    /// The category: what stands before the first hyphen of the name.
    #[must_use]
    pub fn category(&self) -> &str {
        self.name.category()
    }
}

/// What may be done with a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamState {
    /// It is read and appended to.
    Open,
    /// It is read, and appends to it are refused.
    Archived,
    /// It is closed for ever.
    Tombstoned,
    /// Something this program does not know: a newer one has marked the stream.
    Unknown(i16),
}

/// A category that was registered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Category {
    /// The name.
    pub name: String,
    /// The types of its events, by name and version. They were registered; that one was ever appended
    /// is not said.
    pub kinds: Vec<EventKind>,
}

/// A type of events.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventKind {
    /// The name, as it is stored.
    pub name: String,
    /// The version of its schema.
    pub schema_version: u32,
}

/// A list of streams, to be read in pages.
#[derive(Clone, Debug)]
#[must_use = "nothing is read before a page is asked for"]
pub struct StreamList {
    store: EventStore,
    tenant: Tenant,
    category: String,
    prefix: String,
    after: String,
    limit: u32,
    closed_too: bool,
}

/// A piece of a list of streams.
#[derive(Clone, Debug)]
pub struct StreamsPage {
    /// The streams, by the bytes of their names.
    pub streams: Vec<StreamInfo>,
    /// Whether the page ended at its limit: there may be more behind its last stream.
    pub more: bool,
}

impl EventStore {
    /// What is known of a stream; `None` if it has no event.
    ///
    /// Dropping the future leaves nothing behind.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn stream_info(&self, stream: &StreamName) -> Result<Option<StreamInfo>, Error> {
        let mut conn = self.acquire().await?;
        let row = sqlx::query(include_str!("../sql/stream_info.sql"))
            .bind(stream.tenant().as_str())
            .bind(stream.as_str())
            .fetch_optional(&mut *conn)
            .await
            .map_err(|e| database(format!("look up stream {stream}"), e))?;
        row.map(|row| info(&row, stream.tenant())).transpose()
    }

    /// The streams of a category, by name: of the default tenant, unless another is
    /// [asked for](StreamList::tenant).
    pub fn streams(&self, category: &str) -> StreamList {
        StreamList {
            store: self.clone(),
            tenant: Tenant::default(),
            category: category.to_owned(),
            prefix: String::new(),
            after: String::new(),
            limit: PAGE_STREAMS,
            closed_too: false,
        }
    }

    /// Every category that was registered, by name, with the types of its events.
    ///
    /// Dropping the future leaves nothing behind.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn categories(&self) -> Result<Vec<Category>, Error> {
        let what = "list the categories";
        let mut conn = self.acquire().await?;
        let rows = sqlx::query(include_str!("../sql/category_list.sql"))
            .fetch_all(&mut *conn)
            .await
            .map_err(|e| database(what, e))?;
        let mut categories: Vec<Category> = Vec::new();
        for row in rows {
            let read = || Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?));
            let (name, kind, version): (String, Option<String>, Option<i32>) =
                read().map_err(|e| database(what, e))?;
            if categories.last().is_none_or(|last| last.name != name) {
                categories.push(Category { name, kinds: Vec::new() });
            }
            if let (Some(last), Some(name)) = (categories.last_mut(), kind) {
                let schema_version = version.and_then(|v| u32::try_from(v).ok()).unwrap_or(0);
                last.kinds.push(EventKind { name, schema_version });
            }
        }
        Ok(categories)
    }
}

impl StreamList {
    /// The streams of this tenant instead.
    pub fn tenant(mut self, tenant: &Tenant) -> Self {
        self.tenant = tenant.clone();
        self
    }

    /// Only streams whose keys, the part of the name behind the category, begin with this text.
    pub fn prefix(mut self, key: &str) -> Self {
        key.clone_into(&mut self.prefix);
        self
    }

    /// Only streams behind this one, in the order of names: the last of the page before. It does not
    /// need to exist.
    pub fn after(mut self, stream: &StreamName) -> Self {
        stream.as_str().clone_into(&mut self.after);
        self
    }

    /// Archived and tombstoned ones too, which are left out before.
    pub fn closed_too(mut self) -> Self {
        self.closed_too = true;
        self
    }

    /// At most so many streams in a page; 1,000 unless it is said.
    pub fn limit(mut self, streams: u32) -> Self {
        self.limit = streams;
        self
    }

    /// The page. A stream that comes into being meanwhile, behind the last one listed, is in a later
    /// page; before it, in none.
    ///
    /// Dropping the future leaves nothing behind.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] for a category that can't be one, or text with a NUL; those of the
    /// database.
    pub async fn page(&self) -> Result<StreamsPage, Error> {
        // Refuses what can't be a category or hold a key.
        StreamName::new(&self.tenant, &self.category, "key")?;
        if self.prefix.contains('\0') {
            let message = "the beginning of a key holds a NUL character, which no stream's does";
            return Err(Error::new(ErrorKind::Invalid, message));
        }
        let mut conn = self.store.acquire().await?;
        let rows = sqlx::query(include_str!("../sql/stream_list.sql"))
            .bind(self.tenant.as_str())
            .bind(&self.category)
            .bind(&self.prefix)
            .bind(&self.after)
            .bind(i32::try_from(self.limit).unwrap_or(i32::MAX))
            .bind(self.closed_too)
            .fetch_all(&mut *conn)
            .await
            .map_err(|e| database(format!("list the streams of category {}", self.category), e))?;
        let streams =
            rows.iter().map(|row| info(row, &self.tenant)).collect::<Result<Vec<_>, _>>()?;
        let more = !streams.is_empty() && streams.len() as u64 >= u64::from(self.limit);
        Ok(StreamsPage { streams, more })
    }
}

fn info(row: &PgRow, tenant: &Tenant) -> Result<StreamInfo, Error> {
    let what = |e| database("read what is known of a stream", e);
    let name = StreamName::parse(tenant, row.try_get(0).map_err(what)?)?;
    let read = || {
        let (slice, state): (i16, i16) = (row.try_get(1)?, row.try_get(2)?);
        let last: i64 = row.try_get(5)?;
        let first: Option<i64> = row.try_get(4)?;
        Ok(StreamInfo {
            name,
            version: number(row.try_get(3)?),
            first: Position::new(number(first.unwrap_or(last))),
            last: Position::new(number(last)),
            slice: u16::try_from(slice).unwrap_or(0),
            state: match state {
                0 => StreamState::Open,
                1 => StreamState::Archived,
                2 => StreamState::Tombstoned,
                _ => StreamState::Unknown(state),
            },
            first_version: number(row.try_get(8)?),
            mark: Mark::read(row, 7)?,
            created: since_epoch(row.try_get(6)?),
        })
    };
    read().map_err(what)
}
