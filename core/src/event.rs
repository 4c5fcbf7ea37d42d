//! Events: what is appended, what is read back, and the typed sets that readers read.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::SystemTime;

use serde_json::value::RawValue;
use uuid::Uuid;

use crate::error::Error;
use crate::key::Key;
use crate::metadata::Metadata;
use crate::position::Position;
use crate::stream::StreamName;
use crate::tag::Tag;
use crate::token::Token;

/// What a reader reads: one event type, or a union of several. Derive it.
///
/// # Contract
///
/// `decode` understands every type of every category named in `CATEGORIES`; what it does not
/// understand is an error, never dropped.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a set of events",
    label = "can't be read from the store",
    note = "derive `Event` on the events of one category, or `EventSet` on a union of them"
)]
pub trait EventSet: Sized + Send + Sync + 'static {
    /// The id of the stream; [`StreamName`] for a union.
    type Stream: Clone + Debug + Send + Sync + 'static;

    /// The categories whose streams hold these events.
    const CATEGORIES: &'static [&'static str];

    /// Reads a stored event.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Decode`](crate::ErrorKind::Decode) for an unknown type or a payload that does
    /// not fit, naming the stream, version and type.
    fn decode(raw: &RawEvent) -> Result<Self, Error>;

    /// The id in the name of a stream.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Decode`](crate::ErrorKind::Decode) if the name is not one of such an id.
    fn stream(name: &StreamName) -> Result<Self::Stream, Error>;
}

/// The events of one category: what can be appended. Derive it on an enum.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the event type of one category",
    label = "expected a type that derives `Event`",
    note = "derive `Event` on an enum of events; a union (`EventSet`) spans several categories, and \
            a view over it needs a plain `#[key]`"
)]
pub trait Event: EventSet<Stream = Self::Id> {
    /// The id of the streams that hold these events.
    type Id: Key;

    /// The category: the first part of the streams' names.
    const CATEGORY: &'static str;

    /// The names of the event types, as they are stored.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if serde does not see an enum whose
    /// variants are named from outside (the default).
    fn kinds() -> Result<&'static [&'static str], Error>;

    /// The tags of the event: its fields marked `#[tag]`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) for a value that can't be a tag.
    fn tags(&self) -> Result<Vec<Tag>, Error> {
        Ok(Vec::new())
    }

    /// The event as it is stored.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if serde refuses the value.
    fn encode(&self) -> Result<Encoded, Error>;
}

/// An event in the form in which it is stored: its type, its payload as JSON, its tags.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// The name of the event type.
    pub kind: &'static str,
    /// The payload: JSON, kept byte for byte.
    pub payload: Box<RawValue>,
    /// The tags.
    pub tags: Vec<Tag>,
}

/// An event as the store holds it, not yet decoded.
#[derive(Clone, Debug)]
pub struct RawEvent {
    /// The stream.
    pub stream: StreamName,
    /// The version in its stream, counted from 1.
    pub version: u64,
    /// The place of the event, as a token.
    pub token: Token,
    /// The id of the event.
    pub id: Uuid,
    /// The name of its type.
    pub kind: Arc<str>,
    /// The version of the type's schema.
    pub schema_version: u32,
    /// The payload as it was appended, byte for byte.
    pub payload: Box<RawValue>,
    /// The metadata, if any was given.
    pub metadata: Option<Box<RawValue>>,
    /// When the server recorded it. Not monotonic: order by the token's position.
    pub recorded: SystemTime,
}

impl RawEvent {
    /// The place of the event in the settled order.
    #[must_use]
    pub fn position(&self) -> Position {
        self.token.position()
    }

    /// Where this event stands, for an error or a log: stream, version, type and position.
    #[must_use]
    pub fn place(&self) -> String {
        format!(
            "event {} of stream {} (type {}, position {})",
            self.version,
            self.stream,
            self.kind,
            self.position()
        )
    }

    /// The event decoded, with all that was recorded about it.
    ///
    /// # Errors
    ///
    /// As [`EventSet::decode`].
    pub fn typed<E: EventSet>(&self) -> Result<Recorded<E>, Error> {
        Ok(Recorded {
            stream: E::stream(&self.stream)?,
            event: E::decode(self)?,
            name: self.stream.clone(),
            id: self.id,
            version: self.version,
            recorded: self.recorded,
            token: self.token,
            metadata: Metadata::of(self)?,
        })
    }
}

/// An event read back, with all that was recorded about it.
#[derive(Clone, Debug)]
pub struct Recorded<E: EventSet> {
    /// The typed id of the stream; the stream's name for a union.
    pub stream: E::Stream,
    /// The event.
    pub event: E,
    /// The name and tenant of the stream.
    pub name: StreamName,
    /// The id of the event.
    pub id: Uuid,
    /// The version in its stream, counted from 1.
    pub version: u64,
    /// When the server recorded it. Not monotonic: order by the token.
    pub recorded: SystemTime,
    /// The place of the event: a view read `at_least` this token holds it.
    pub token: Token,
    /// Correlation, causation, trace context and the user's own.
    pub metadata: Metadata,
}
