//! What came into a stream after a version: why a decision on that version does not hold any more.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use foldlog_core::{Error, Metadata, Position, RawEvent, StreamName};
use sqlx::PgConnection;

use crate::group::Short;
use crate::read::StreamPage;
use crate::store::EventStore;

/// What was appended since a decision was taken, without payloads: to a stream after a version, or
/// within a boundary.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Since {
    /// The first of them, at most 16.
    pub events: Box<[EventHeader]>,
    /// How many there are.
    pub count: u64,
}

/// An event without its payload.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventHeader {
    /// The stream.
    pub stream: StreamName,
    /// The name of its type.
    pub kind: Arc<str>,
    /// The version in its stream, counted from 1.
    pub version: u64,
    /// Its place in the settled order.
    pub position: Position,
    /// What caused it: the id of its command, if that had one and named no other cause.
    pub causation_id: Option<String>,
    /// When the server recorded it.
    pub recorded: SystemTime,
}

impl From<&RawEvent> for EventHeader {
    fn from(raw: &RawEvent) -> Self {
        Self {
            stream: raw.stream.clone(),
            kind: Arc::clone(&raw.kind),
            version: raw.version,
            position: raw.position(),
            // Metadata that others wrote may be of any shape; the event came in between all the same.
            causation_id: Metadata::of(raw).ok().and_then(|metadata| metadata.causation_id),
            recorded: raw.recorded,
        }
    }
}

impl Since {
    /// How many events are named; the others are counted.
    pub(crate) const NAMED_MAX: u32 = 16;

    pub(crate) fn of(page: &StreamPage, after_version: u64) -> Self {
        Self {
            events: page
                .events
                .iter()
                .take(Self::NAMED_MAX as usize)
                .map(EventHeader::from)
                .collect(),
            count: page.version.saturating_sub(after_version),
        }
    }
}

/// Events one after the other, and what is kept of them.
#[derive(Default)]
pub(crate) struct SinceBuilder {
    events: Vec<EventHeader>,
    count: u64,
}

impl SinceBuilder {
    pub(crate) fn add(&mut self, event: &RawEvent) {
        self.count += 1;
        if self.events.len() < Since::NAMED_MAX as usize {
            self.events.push(event.into());
        }
    }

    pub(crate) fn build(self) -> Since {
        Since { events: self.events.into(), count: self.count }
    }
}

/// The end of a sentence about a conflict; nothing if nothing is known.
impl fmt::Display for Since {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(first) = self.events.first() else { return Ok(()) };
        match self.count {
            1 => write!(f, "; {first} came in between"),
            count => write!(f, "; {count} events came in between, first {first}"),
        }
    }
}

impl fmt::Display for EventHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stream, kind, version, position, .. } = self;
        write!(f, "event {version} of {stream} (type {kind}, position {position}")?;
        match &self.causation_id {
            Some(cause) => write!(f, ", caused by {cause})"),
            None => f.write_str(")"),
        }
    }
}

impl EventStore {
    /// Which events a stream has after a version: for an append that expected this version and met a
    /// [`Conflict`](crate::AppendError::Conflict).
    ///
    /// A short read, whatever the length of the stream.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn since(&self, stream: &StreamName, after_version: u64) -> Result<Since, Error> {
        if let Some(Ok(Short::Whole(load))) = self.group().load(stream, after_version, None).await {
            return Ok(Since::of(&load.page, after_version));
        }
        let mut conn = self.acquire().await?;
        self.since_in(&mut conn, stream, after_version).await
    }

    /// The same in the caller's transaction.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn since_in(
        &self,
        conn: &mut PgConnection,
        stream: &StreamName,
        after_version: u64,
    ) -> Result<Since, Error> {
        let page = self.read_stream_in(conn, stream, after_version, Since::NAMED_MAX).await?;
        Ok(Since::of(&page, after_version))
    }
}
