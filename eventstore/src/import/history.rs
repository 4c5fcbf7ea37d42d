//! Events of a history: with the version, the time and the id that they have already.

use std::sync::Arc;
use std::time::SystemTime;

use foldlog_core::{Position, RawEvent, StoreId, StreamName, Tag, Token};
use serde_json::value::RawValue;
use uuid::Uuid;

/// The namespace of the ids that are derived. Never changed: an import that goes on derives the same.
const DERIVED: Uuid = Uuid::from_u128(0x7f3c_1b52_90d4_4e0f_8a67_b1d2_5f04_c3e9);

/// An event that happened before it came here, as it is to be stored.
#[derive(Clone, Debug)]
#[must_use = "events are stored when they are imported"]
pub struct HistoricalEvent {
    pub(crate) stream: StreamName,
    pub(crate) version: u64,
    pub(crate) kind: Arc<str>,
    pub(crate) schema_version: u32,
    pub(crate) id: Option<Uuid>,
    pub(crate) recorded: Option<SystemTime>,
    pub(crate) payload: Box<RawValue>,
    pub(crate) metadata: Option<Box<RawValue>>,
    pub(crate) tags: Vec<Tag>,
}

impl HistoricalEvent {
    /// An event by its stream, its version there (counted from 1), the name of its type, and its payload
    /// in the form in which an [`Event`](foldlog_core::Event) is stored.
    pub fn new(
        stream: StreamName,
        version: u64,
        kind: impl Into<Arc<str>>,
        payload: Box<RawValue>,
    ) -> Self {
        Self {
            stream,
            version,
            kind: kind.into(),
            schema_version: 1,
            id: None,
            recorded: None,
            payload,
            metadata: None,
            tags: Vec::new(),
        }
    }

    /// The id it has. Without one it is derived from stream and version, the same each time.
    pub fn id(mut self, id: Uuid) -> Self {
        self.id = Some(id);
        self
    }

    /// When it was recorded. Without it, that is when the import began: the first run of its name.
    pub fn recorded(mut self, time: SystemTime) -> Self {
        self.recorded = Some(time);
        self
    }

    /// The version of its type's schema, instead of 1.
    pub fn schema_version(mut self, version: u32) -> Self {
        self.schema_version = version;
        self
    }

    /// What was recorded beside it: an object that [`Metadata`](foldlog_core::Metadata) can be read
    /// from.
    pub fn metadata(mut self, metadata: Box<RawValue>) -> Self {
        self.metadata = Some(metadata);
        self
    }

    /// Its tags, by which boundaries find it: those that an append of it would have given it,
    /// [`Event::tags`](foldlog_core::Event::tags).
    pub fn tags(mut self, tags: impl IntoIterator<Item = Tag>) -> Self {
        self.tags = tags.into_iter().collect();
        self.tags.sort_unstable();
        self.tags.dedup();
        self
    }

    /// The id it is stored under.
    pub(crate) fn stored_id(&self) -> Uuid {
        self.id.unwrap_or_else(|| {
            // A name holds no NUL, so no two of these run together.
            let name = format!(
                "{}\0{}\0{}",
                self.stream.tenant().as_str(),
                self.stream.as_str(),
                self.version
            );
            Uuid::new_v5(&DERIVED, name.as_bytes())
        })
    }

    /// The event as the store would give it, but for its place.
    pub(crate) fn rehearsed(&self) -> RawEvent {
        let store = StoreId { store: [0; 8], epoch: 0 };
        RawEvent {
            stream: self.stream.clone(),
            version: self.version,
            token: Token::new(store, 0, Position::START),
            id: self.stored_id(),
            kind: self.kind.clone(),
            schema_version: self.schema_version,
            payload: self.payload.clone(),
            metadata: self.metadata.clone(),
            recorded: self.recorded.unwrap_or(SystemTime::UNIX_EPOCH),
        }
    }
}
