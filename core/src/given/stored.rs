//! An event as it is after a stay in the store: written, and read back.

use std::time::SystemTime;

use serde_json::value::RawValue;
use uuid::Uuid;

use super::tree::Tree;
use crate::error::Error;
use crate::event::{Event, RawEvent};
use crate::position::Position;
use crate::stream::{StreamName, Tenant};
use crate::token::{StoreId, Token};

/// An event that was written and read back, and the form it had in between.
pub(super) struct Stored<E> {
    pub(super) kind: &'static str,
    pub(super) payload: Tree,
    /// What was read back: that is what a program sees.
    pub(super) event: E,
}

/// Checks that events mean the same after they were written and read back.
///
/// Every event is encoded, decoded and encoded again; the two encodings must be the same JSON. What
/// `given` takes and what a command emits is checked like this anyway.
///
/// # Panics
///
/// If an event can't be written, can't be read back, or is written differently the second time;
/// the text names the event and the field.
#[track_caller]
pub fn round_trips<E: Event>(events: impl IntoIterator<Item = E>) {
    let now = SystemTime::UNIX_EPOCH;
    for (version, event) in (1..).zip(events) {
        if let Err(fault) = Stored::of(&event, &sample_stream::<E>(), version, now) {
            panic!("{fault}");
        }
    }
}

/// A stream of the category, where no id is known.
pub(super) fn sample_stream<E: Event>() -> StreamName {
    StreamName::new(&Tenant::default(), E::CATEGORY, "test")
        .unwrap_or_else(|error| panic!("{}", chain(&error)))
}

impl<E: Event> Stored<E> {
    /// Writes an event and reads it back; the error is a sentence that names the event.
    pub(super) fn of(
        event: &E,
        stream: &StreamName,
        version: u64,
        now: SystemTime,
    ) -> Result<Self, String> {
        let written = event
            .encode()
            .map_err(|error| format!("event {version} can't be written: {}", chain(&error)))?;
        let kind = written.kind;
        let fault = |what: &str, error: &Error| {
            format!("event {version} ({kind}) {what}: {}", chain(error))
        };
        let payload = tree(&written.payload, version)?;
        let raw = RawEvent {
            stream: stream.clone(),
            version,
            token: token(version),
            id: sample_id(version),
            kind: kind.into(),
            schema_version: 1,
            payload: written.payload,
            metadata: None,
            recorded: now,
        };
        let event = E::decode(&raw).map_err(|error| fault("can't be read back", &error))?;
        let again =
            event.encode().map_err(|error| fault("can't be written a second time", &error))?;
        if again.kind != kind {
            return Err(format!("event {version} ({kind}) is read back as a {}", again.kind));
        }
        match payload.difference(&tree(&again.payload, version)?) {
            None => Ok(Self { kind, payload, event }),
            Some(difference) => Err(format!(
                "event {version} ({kind}) does not mean the same once it was stored: {} is \
                 written as {}, but as {} after it was read back",
                difference.path, difference.left, difference.right
            )),
        }
    }
}

impl<E> Stored<E> {
    pub(super) fn text(&self) -> String {
        format!("{} {}", self.kind, self.payload)
    }
}

/// A token for an event that is in no store.
#[must_use]
pub fn token(version: u64) -> Token {
    Token::new(StoreId { store: [0; 8], epoch: 0 }, 0, Position::new(version))
}

/// An id for an event that is in no store.
#[must_use]
pub fn sample_id(version: u64) -> Uuid {
    Uuid::from_u128(u128::from(version))
}

/// An error with its causes: in a test, the last one is often what helps.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

fn tree(payload: &RawValue, version: u64) -> Result<Tree, String> {
    Tree::read(payload.get())
        .map_err(|cause| format!("the payload of event {version} is no JSON: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::super::bank::{AccountEvent, Parcel, Tenths, deposited, failure};
    use super::*;

    #[test]
    fn events_that_come_back_as_they_were_pass() {
        round_trips([AccountEvent::Opened { owner: "Ada".into() }, deposited(5)]);
        round_trips([Parcel::Weighed { grams: u128::MAX }, Parcel::Sent]);
        round_trips::<AccountEvent>([]);
    }

    #[test]
    fn an_event_that_changes_in_the_store_is_named_with_its_field() {
        let text = failure(|| round_trips([Parcel::Sent, Parcel::Scaled { tenths: Tenths(5) }]));
        let expected = "event 2 (Scaled) does not mean the same once it was stored: .tenths is \
                        written as 50, but as 500 after it was read back";
        assert_eq!(text, expected);
    }

    #[test]
    fn an_event_that_cant_be_written_or_read_back_is_named() {
        let text = failure(|| round_trips([Parcel::Measured { metres: f64::NAN }]));
        assert!(text.starts_with("event 1 can't be written: an event of type"), "{text}");
        assert!(text.contains("invalid type: null"), "{text}");
        let text = failure(|| round_trips([Parcel::Lost]));
        assert!(text.starts_with("event 1 (Lost) can't be read back: "), "{text}");
        let text = failure(|| round_trips([Parcel::Turned]));
        assert_eq!(text, "event 1 (Turned) is read back as a Sent");
    }
}
