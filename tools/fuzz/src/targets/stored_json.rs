//! JSON as the server sends it.

use foldlog_core::Position;
use serde_json::Value;

use crate::input::{json, text};

#[path = "../../../../eventstore/src/read/raw.rs"]
mod raw;

/// A copy is what parsing it would give. The server sends nothing but JSON.
pub(super) fn check(data: &[u8]) {
    let text = text(data);
    let text = text.trim();
    let Some(parsed) = json(text) else { return };
    let copied = raw::json(Position::START, text).unwrap();
    assert_eq!(copied.get(), parsed.get());
    let value = |text: &str| serde_json::from_str::<Value>(text).ok();
    assert_eq!(value(copied.get()), value(text));
    assert_eq!(serde_json::to_string(&[&copied]).unwrap(), format!("[{text}]"));
}
