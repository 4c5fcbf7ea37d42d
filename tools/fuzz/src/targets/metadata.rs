//! What is recorded beside an event.

use foldlog_core::{ErrorKind, Metadata};

use crate::input::{json, marked, stored, text};
use crate::judge::refused;

pub(super) fn check(data: &[u8]) {
    let text = text(data);
    let Some(metadata) = json(&text) else { return };
    let null = json("null").unwrap();
    let marked = marked(&metadata);
    match Metadata::of(&stored("Closed", null.clone(), Some(metadata))) {
        Ok(read) => {
            let written = read.encode();
            // Nothing is stored of nothing.
            assert_eq!(written.is_none(), read == Metadata::default());
            let again = written.map(|text| json(&text).unwrap());
            assert_eq!(Metadata::of(&stored("Closed", null.clone(), again)).unwrap(), read);
        }
        Err(error) => refused(&error, ErrorKind::Decode, "metadata of event 3 of stream thing-1"),
    }
    if let Err(error) = Metadata::of(&stored("Closed", null, marked)) {
        refused(&error, ErrorKind::Decode, "metadata of event 3 of stream thing-1");
    }
}
