//! Metadata: what is recorded beside an event without being part of it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::{Error, ErrorKind};
use crate::event::RawEvent;

/// What is recorded beside an event: where it came from, and whatever else you want to keep.
///
/// Stored as one JSON object; empty parts are left out, and empty metadata is not stored at all.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Metadata {
    /// The conversation the event belongs to: the same for all that one request caused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// What directly caused it: the id of an event, or of a command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub causation_id: Option<String>,
    /// W3C trace context: `traceparent`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// W3C trace context: `tracestate`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracestate: Option<String>,
    /// The user's own.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub user: Map<String, Value>,
}

impl Metadata {
    /// No metadata.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With a correlation id.
    #[must_use]
    pub fn correlation(mut self, id: impl Into<String>) -> Self {
        self.correlation_id = Some(id.into());
        self
    }

    /// With a causation id.
    #[must_use]
    pub fn causation(mut self, id: impl Into<String>) -> Self {
        self.causation_id = Some(id.into());
        self
    }

    /// With the trace context of the request, as its headers gave it.
    #[must_use]
    pub fn trace(mut self, parent: impl Into<String>, state: Option<String>) -> Self {
        self.traceparent = Some(parent.into());
        self.tracestate = state;
        self
    }

    /// With a value of your own.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.user.insert(name.into(), value.into());
        self
    }

    /// As JSON; `None` if there is nothing to store.
    #[must_use]
    pub fn encode(&self) -> Option<String> {
        // Strings and JSON values only: serialising them can't fail.
        (*self != Self::default()).then(|| serde_json::to_string(self).ok()).flatten()
    }

    /// The metadata of a stored event.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Decode`] if it is not an object that foldlog wrote.
    pub fn of(raw: &RawEvent) -> Result<Self, Error> {
        let Some(json) = &raw.metadata else { return Ok(Self::default()) };
        serde_json::from_str(json.get()).map_err(|cause| {
            Error::new(
                ErrorKind::Decode,
                format!("the metadata of {} is not an object that foldlog wrote", raw.place()),
            )
            .with_source(cause)
        })
    }
}
