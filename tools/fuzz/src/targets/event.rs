//! Stored events: a type and a payload.

use foldlog::Event;
use foldlog_core::ErrorKind;

use crate::domain::ThingEvent;
use crate::input::{json, marked, parted, stored, text};
use crate::judge::refused;

/// The name of a type, a line end, and a payload.
pub(super) fn check(data: &[u8]) {
    let text = text(data);
    let (kind, payload) = parted(&text);
    let Some(payload) = json(payload) else { return };
    let marked = marked(&payload);
    match stored(kind, payload, None).typed::<ThingEvent>() {
        Ok(recorded) => {
            assert!(ThingEvent::kinds().unwrap().contains(&kind));
            assert_eq!((recorded.stream.0, recorded.version), (1, 3));
            comes_back(&recorded.event, kind);
        }
        Err(error) => refused(&error, ErrorKind::Decode, "event 3 of stream thing-1"),
    }
    // The same once more with a mark in every text: no sentence holds it.
    let Some(marked) = marked else { return };
    if let Err(error) = stored(kind, marked, None).typed::<ThingEvent>() {
        refused(&error, ErrorKind::Decode, "event 3 of stream thing-1");
    }
}

fn comes_back(event: &ThingEvent, kind: &str) {
    let written = event.encode().unwrap();
    assert_eq!(written.kind, kind);
    let again = stored(kind, written.payload.clone(), None).typed::<ThingEvent>().unwrap();
    assert_eq!(again.event, *event, "{}", written.payload);
    assert_eq!(again.event.encode().unwrap().payload.get(), written.payload.get());
}
