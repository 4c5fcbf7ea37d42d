//! Streams that were exported as text.

use foldlog::testing::Fixture;
use foldlog_core::{ErrorKind, RawEvent};

use crate::domain::ThingEvent;
use crate::input::{MARK, text};
use crate::judge::refused;

pub(super) fn check(data: &[u8]) {
    let text = text(data);
    match Fixture::parse(&text) {
        Ok(fixture) => comes_back(&fixture),
        Err(error) => refused(&error, ErrorKind::Invalid, "of the fixture"),
    }
    // As the payload of a line whose rest is anything.
    let head = r#"{"fixture":1,"stream":"thing-1"}"#;
    let line = text.split('\n').next().unwrap_or_default();
    let line = format!(r#"{head}{{"version":1,"kind":"Noted","payload":"{MARK}"{line}"#);
    let line = line.replacen("}{", "}\n{", 1);
    if let Err(error) = Fixture::parse(&line) {
        refused(&error, ErrorKind::Invalid, "line 2 of the fixture");
    }
}

fn comes_back(fixture: &Fixture) {
    let written = fixture.to_string();
    let again = Fixture::parse(&written).unwrap();
    assert_eq!(again.stream(), fixture.stream());
    assert_eq!(again.events().len(), fixture.events().len());
    for ((one, other), version) in fixture.events().iter().zip(again.events()).zip(1..) {
        assert_eq!(one.version, version);
        assert_eq!(said(one), said(other));
        assert_eq!((one.id, one.recorded, one.version), (other.id, other.recorded, other.version));
        if let Ok(event) = one.typed::<ThingEvent>() {
            assert_eq!(other.typed::<ThingEvent>().unwrap().event, event.event);
        }
    }
    assert_eq!(again.to_string(), written);
    let made = Fixture::new(again.stream().clone(), again.events().to_vec()).unwrap();
    assert_eq!(made.to_string(), written);
}

/// Payloads byte for byte, but for line ends, which mean nothing between tokens.
fn said(event: &RawEvent) -> (String, u32, String, Option<String>) {
    let plain = |json: &str| json.replace('\r', " ");
    let metadata = event.metadata.as_ref().map(|json| plain(json.get()));
    (event.kind.to_string(), event.schema_version, plain(event.payload.get()), metadata)
}
