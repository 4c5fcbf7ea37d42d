//! Bytes as the texts and values that a target needs.

use std::borrow::Cow;

use foldlog_core::{Position, RawEvent, StoreId, StreamName, Tenant, Token};
use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;

/// What stands in for every text of a payload: a sentence that holds it holds a payload.
pub(crate) const MARK: &str = "s3cretMARKs3cret";

/// Bytes as text, with a sign in place of what is none.
pub(crate) fn text(data: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(data)
}

/// The first line and the rest.
pub(crate) fn parted(text: &str) -> (&str, &str) {
    text.split_once('\n').unwrap_or((text, ""))
}

/// A text as JSON, if it is.
pub(crate) fn json(text: &str) -> Option<Box<RawValue>> {
    RawValue::from_string(text.to_owned()).ok()
}

/// The same JSON with a mark in place of each text.
pub(crate) fn marked(json: &RawValue) -> Option<Box<RawValue>> {
    let mut value: Value = serde_json::from_str(json.get()).ok()?;
    mark(&mut value);
    serde_json::value::to_raw_value(&value).ok()
}

fn mark(value: &mut Value) {
    match value {
        Value::String(text) => MARK.clone_into(text),
        Value::Array(items) => items.iter_mut().for_each(mark),
        Value::Object(fields) => fields.values_mut().for_each(mark),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A stored event of the stream `thing-1`.
pub(crate) fn stored(
    kind: &str,
    payload: Box<RawValue>,
    metadata: Option<Box<RawValue>>,
) -> RawEvent {
    let store = StoreId::new(Uuid::from_u128(7), 0);
    RawEvent {
        stream: StreamName::parse(&Tenant::default(), "thing-1").unwrap(),
        version: 3,
        token: Token::new(store, 0, Position::new(9)),
        id: Uuid::from_u128(1),
        kind: kind.into(),
        schema_version: 1,
        payload,
        metadata,
        recorded: std::time::SystemTime::UNIX_EPOCH,
    }
}
