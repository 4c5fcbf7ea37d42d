//! Requests: what is to be appended, as a whole or not at all.

use std::sync::Arc;
use std::time::SystemTime;

use foldlog_core::{
    Encoded, Error, ErrorKind, Event, Expected, Metadata, RawEvent, StreamName, Tag, Tenant,
};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::append::StreamAppended;
use crate::boundary::{Condition, join};
use crate::event_type::SCHEMA_VERSION;
use crate::limits::{METADATA_BYTES_MAX, check_append, check_json, check_tags};
use crate::store::EventStore;

/// Reads an event and writes it again, by its own type: for the kit of tests.
#[doc(hidden)]
pub type Rewrite = fn(&RawEvent) -> Result<Encoded, Error>;

/// Events for one stream, and what is expected of it.
///
/// Made by [`any`], [`exists`], [`no_stream`], or from a loaded aggregate. A value that can't be
/// stored is reported by the append.
#[derive(Debug)]
#[must_use = "events are stored when they are appended"]
pub struct StreamEvents(Result<Checked, Error>);

#[derive(Debug)]
struct Checked {
    name: StreamName,
    // Whether the tenant was said, or is only the default so far.
    tenant_said: bool,
    expected: Expected,
    events: Vec<Encoded>,
    rewrite: Option<Rewrite>,
}

/// Events for a stream at whatever version it is.
pub fn any<E: Event>(id: &E::Id, events: impl IntoEvents<E>) -> StreamEvents {
    StreamEvents::of(id, Expected::Any, events)
}

/// Events for a stream that must have events already.
pub fn exists<E: Event>(id: &E::Id, events: impl IntoEvents<E>) -> StreamEvents {
    StreamEvents::of(id, Expected::Exists, events)
}

/// The first events of a stream: it must have none yet.
pub fn no_stream<E: Event>(id: &E::Id, events: impl IntoEvents<E>) -> StreamEvents {
    StreamEvents::of(id, Expected::NoStream, events)
}

/// One event or several.
pub trait IntoEvents<E> {
    /// The events, in order.
    fn into_events(self) -> impl Iterator<Item = E>;
}

impl<E: Event> IntoEvents<E> for E {
    fn into_events(self) -> impl Iterator<Item = E> {
        std::iter::once(self)
    }
}

impl<E: Event> IntoEvents<E> for Vec<E> {
    fn into_events(self) -> impl Iterator<Item = E> {
        self.into_iter()
    }
}

impl<E: Event, const N: usize> IntoEvents<E> for [E; N] {
    fn into_events(self) -> impl Iterator<Item = E> {
        self.into_iter()
    }
}

impl<E: Event> IntoEvents<E> for Option<E> {
    fn into_events(self) -> impl Iterator<Item = E> {
        self.into_iter()
    }
}

impl StreamEvents {
    /// Events for the stream of an id of the default tenant.
    pub fn of<E: Event>(id: &E::Id, expected: Expected, events: impl IntoEvents<E>) -> Self {
        Self(StreamName::of::<E>(&Tenant::default(), id).and_then(|name| {
            let events = events.into_events().map(|e| e.encode()).collect::<Result<_, _>>()?;
            let rewrite: Rewrite = |raw| E::decode(raw)?.encode();
            let rewrite = Some(rewrite);
            Ok(Checked { name, tenant_said: false, expected, events, rewrite })
        }))
    }

    /// Events for a stream by name, already encoded.
    pub fn raw(name: StreamName, expected: Expected, events: Vec<Encoded>) -> Self {
        Self(Ok(Checked { name, tenant_said: true, expected, events, rewrite: None }))
    }

    /// The same for the stream of this name that belongs to a tenant. Said once it stays: what was
    /// loaded of one tenant is refused for another.
    pub fn in_tenant(self, tenant: &Tenant) -> Self {
        Self(self.0.and_then(|checked| {
            if checked.tenant_said && checked.name.tenant() != tenant {
                return Err(invalid(format!(
                    "events for stream {} can't be appended for another tenant",
                    checked.name
                )));
            }
            let name = StreamName::parse(tenant, checked.name.as_str())?;
            Ok(Checked { name, tenant_said: true, ..checked })
        }))
    }
}

/// What is to be appended, to one stream or several, as a whole or not at all.
#[derive(Clone, Debug)]
pub struct Request {
    pub(crate) id: Option<Uuid>,
    pub(crate) hash: Option<[u8; 32]>,
    // Shared, so that a request is cheap to clone: it goes to the writers of group append.
    pub(crate) reply: Option<Arc<RawValue>>,
    pub(crate) metadata: Option<Arc<str>>,
    pub(crate) streams: Arc<[StreamPart]>,
    // Of the payloads.
    pub(crate) bytes: usize,
    // The seed of the events' ids: the same for every repetition of this request.
    pub(crate) seed: Uuid,
    // Of each event, joined; empty if no event has any.
    pub(crate) tags: Arc<[Option<Box<str>>]>,
    pub(crate) condition: Option<Condition>,
}

#[derive(Clone, Debug)]
pub(crate) struct StreamPart {
    pub(crate) name: StreamName,
    pub(crate) expected: Expected,
    pub(crate) events: Vec<Encoded>,
    rewrite: Option<Rewrite>,
}

impl Request {
    /// A request for these streams.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] for an event that could not be read back, a stream that stands twice,
    /// streams of several tenants, no stream at all, or more than the limits allow.
    pub fn new(streams: impl IntoIterator<Item = StreamEvents>) -> Result<Self, Error> {
        let mut parts: Vec<StreamPart> = Vec::new();
        for events in streams {
            let Checked { name, expected, events, rewrite, .. } = events.0?;
            if parts.iter().any(|part| part.name == name) {
                return Err(invalid(format!(
                    "stream {name} stands twice in one append: put its events together"
                )));
            }
            if parts.first().is_some_and(|first| first.name.tenant() != name.tenant()) {
                return Err(invalid("an append can't span several tenants".into()));
            }
            parts.push(StreamPart { name, expected, events, rewrite });
        }
        if parts.is_empty() {
            return Err(invalid("an append needs at least one stream".into()));
        }
        let mut bytes = 0;
        for event in parts.iter().flat_map(|part| &part.events) {
            check_json("payload", event.kind, event.payload.get())?;
            bytes += event.payload.get().len();
        }
        check_append(parts.iter().map(|part| part.events.len()).sum(), bytes)?;
        let tags = joined_tags(&parts)?;
        let mut request = Self {
            id: None,
            hash: None,
            reply: None,
            metadata: None,
            streams: parts.into(),
            bytes,
            seed: Uuid::now_v7(),
            tags,
            condition: None,
        };
        if request.needs_receipt() {
            // An id of its own, so that repeating it after a lost connection is safe.
            request.id = Some(request.seed);
        }
        Ok(request)
    }

    /// The id under which a repetition is recognised, for ever.
    #[must_use]
    pub fn id(mut self, id: Uuid) -> Self {
        self.id = Some(id);
        self.seed = id;
        self
    }

    /// What the id stands for. Without it, the content itself: streams, types and payloads. A
    /// command names only what it is for, since it may decide otherwise when it is repeated.
    #[must_use]
    pub fn stands_for(mut self, meaning: &str) -> Self {
        self.hash = Some(meaning_hash(meaning));
        self
    }

    /// A reply to keep on the receipt, for whoever repeats the request.
    #[must_use]
    pub fn reply(mut self, reply: Box<RawValue>) -> Self {
        self.reply = Some(reply.into());
        self
    }

    /// What is recorded beside each event.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] if it could not be read back.
    pub fn metadata(mut self, metadata: &Metadata) -> Result<Self, Error> {
        self.metadata = metadata.encode().map(Into::into);
        if let Some(json) = &self.metadata {
            check_json("metadata", "any", json)?;
            if json.len() > METADATA_BYTES_MAX {
                return Err(invalid(format!(
                    "the metadata of an append has {} bytes, the limit is {METADATA_BYTES_MAX}: each \
                     of its events carries it",
                    json.len()
                )));
            }
        }
        Ok(self)
    }

    /// On condition that no event stands that the condition's query selects and its read did not see.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] if it was read for another tenant.
    pub fn condition(mut self, condition: Condition) -> Result<Self, Error> {
        if condition.tenant.as_str() != self.tenant_name() {
            return Err(invalid("a condition can't be on the events of another tenant".into()));
        }
        self.condition = Some(condition);
        Ok(self)
    }

    /// The tenant of its streams.
    #[must_use]
    pub fn tenant(&self) -> Tenant {
        self.streams.first().map(|part| part.name.tenant().clone()).unwrap_or_default()
    }

    /// The events that it put into a stream, as they will be read: byte for byte, but with the time of
    /// this process, and each with the position of the last one, as no answer says more. None for a
    /// stream that has no event of it.
    #[must_use]
    pub fn as_read(&self, store: &EventStore, appended: &StreamAppended) -> Vec<RawEvent> {
        let (mut events, mut index, recorded) = (Vec::new(), 0, SystemTime::now());
        for part in &*self.streams {
            let before = appended.version.saturating_sub(part.events.len() as u64);
            for (event, version) in part.events.iter().zip(before + 1..) {
                let id = self.event_id(index);
                index += 1;
                let (true, Some(position)) = (part.name == appended.stream, appended.position)
                else {
                    continue;
                };
                let metadata = self.metadata.as_deref();
                events.push(RawEvent {
                    stream: part.name.clone(),
                    version,
                    token: store.token(position),
                    id,
                    kind: event.kind.into(),
                    schema_version: SCHEMA_VERSION.unsigned_abs(),
                    payload: event.payload.clone(),
                    // It was written as JSON here.
                    metadata: metadata.and_then(|m| RawValue::from_string(m.to_owned()).ok()),
                    recorded,
                });
            }
        }
        events
    }

    /// What it holds, stream by stream: for the kit of tests.
    #[doc(hidden)]
    pub fn parts(
        &self,
    ) -> impl Iterator<Item = (&StreamName, Expected, &[Encoded], Option<Rewrite>)> {
        let parts = self.streams.iter();
        parts.map(|part| (&part.name, part.expected, &*part.events, part.rewrite))
    }

    pub(crate) fn tenant_name(&self) -> &str {
        self.streams.first().map_or("", |part| part.name.tenant().as_str())
    }

    /// About how much is sent for it.
    pub(crate) fn size(&self) -> usize {
        let events = self.streams.iter().map(|part| part.events.len()).sum::<usize>();
        self.bytes + events * (64 + self.metadata.as_ref().map_or(0, |m| m.len())) + 256
    }

    /// Whether it has tags or a condition.
    pub(crate) fn has_boundary(&self) -> bool {
        !self.tags.is_empty() || self.condition.is_some()
    }

    /// The tags whose locks it needs. None at all says that it needs the one of all events.
    pub(crate) fn lock_tags(&self) -> Vec<&str> {
        let locks = self.condition.iter().flat_map(Condition::locks);
        if locks.clone().any(|lock| lock.is_none()) {
            return Vec::new();
        }
        let written = self.streams.iter().flat_map(|part| &part.events).flat_map(|e| &e.tags);
        written.chain(locks.flatten()).map(Tag::as_str).collect()
    }

    fn needs_receipt(&self) -> bool {
        self.streams.iter().all(|part| part.events.is_empty())
            || self
                .streams
                .iter()
                .any(|part| matches!(part.expected, Expected::Any | Expected::Exists))
    }

    pub(crate) fn event_id(&self, index: usize) -> Uuid {
        Uuid::new_v5(&self.seed, &(index as u64).to_be_bytes())
    }

    /// What tells two uses of one id apart. Computed only where an id is given.
    pub(crate) fn content_hash(&self) -> Option<[u8; 32]> {
        self.id?;
        Some(self.hash.unwrap_or_else(|| {
            let mut hash = Sha256::new();
            // Each text with its length, so that no two contents run together.
            let mut put = |text: &str| {
                hash.update((text.len() as u64).to_be_bytes());
                hash.update(text);
            };
            for part in &*self.streams {
                // Not the expectation: who repeats an append may have loaded a later version.
                put(part.name.as_str());
                // And how many events follow: the next stream's name must not pass for a type.
                put(&part.events.len().to_string());
                for event in &part.events {
                    put(event.kind);
                    put(event.payload.get());
                }
            }
            hash.finalize().into()
        }))
    }
}

/// The tags of each event as the append function takes them, if any event has one.
fn joined_tags(parts: &[StreamPart]) -> Result<Arc<[Option<Box<str>>]>, Error> {
    let events = || parts.iter().flat_map(|part| &part.events);
    if events().all(|event| event.tags.is_empty()) {
        return Ok(Arc::default());
    }
    events()
        .map(|event| {
            check_tags(event.kind, event.tags.len())?;
            Ok(join(event.tags.iter().map(Tag::as_str)))
        })
        .collect()
}

pub(crate) fn meaning_hash(meaning: &str) -> [u8; 32] {
    Sha256::digest(meaning).into()
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::Invalid, message)
}
