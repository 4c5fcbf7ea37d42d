//! The limits of what is appended: what they let pass can be read back.

use foldlog_core::ErrorKind;
use serde_json::Value;

use crate::input::{json, text};
use crate::judge::refused;

#[path = "../../../../eventstore/src/limits.rs"]
#[allow(dead_code, unreachable_pub, reason = "it is used where it is from")]
mod decoder;

pub(super) fn check(data: &[u8]) {
    let text = text(data);
    let Some(payload) = json(&text) else { return };
    let payload = payload.get();
    let value = serde_json::from_str::<Value>(payload);
    match decoder::check_json("payload", "Noted", payload) {
        Ok(()) => {
            assert!(payload.len() <= 1 << 20);
            let value = value.expect("what is appended can be read");
            assert!(depth(&value) <= 64);
            assert!(!holds_nul(&value));
        }
        Err(error) => {
            refused(&error, ErrorKind::Invalid, "payload of an event of type Noted");
            let sentence = error.to_string();
            match &value {
                // Half a character, or a number beyond all floats.
                Err(_) => {}
                Ok(value) if sentence.contains("deep") => assert!(depth(value) > 64),
                Ok(value) if sentence.contains("NUL") => assert!(holds_nul(value)),
                Ok(_) if sentence.contains("number") => assert!(has_long_number(payload)),
                Ok(_) => assert!(sentence.contains("bytes"), "{sentence}"),
            }
        }
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(holds_nul),
        Value::Object(fields) => {
            fields.iter().any(|(name, value)| name.contains('\0') || holds_nul(value))
        }
        _ => false,
    }
}

/// More digits in a row than 128 bits ever need less than.
fn has_long_number(json: &str) -> bool {
    let digits = |c: char| !c.is_ascii_digit();
    json.split(digits).any(|row| row.len() >= 38)
}
