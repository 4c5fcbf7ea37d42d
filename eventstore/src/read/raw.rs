//! JSON as PostgreSQL sends it, not parsed again.

use std::iter::once;

use foldlog_core::{Error, ErrorKind, Position};
use serde::de::value::{Error as NotTaken, MapDeserializer};
use serde::de::{Deserialize, Deserializer, Error as _, Visitor};
use serde_json::value::RawValue;

/// The JSON of the event at a position. The server has checked it when it was stored, and to do so
/// again costs about a microsecond for 500 bytes: it is only copied, in 30 ns.
pub(crate) fn json(position: Position, text: &str) -> Result<Box<RawValue>, Error> {
    match copied(text) {
        Some(raw) => Ok(raw),
        None => RawValue::from_string(text.to_owned()).map_err(|e| {
            Error::new(ErrorKind::Decode, format!("position {position} is no JSON")).with_source(e)
        }),
    }
}

/// `RawValue::from_string` parses what it is given. A raw value that is deserialized takes over what its
/// deserializer calls raw, which serde_json's own has just parsed and this one need not. serde_json does
/// not promise that; `None` if it is not so any more, and a test says it.
fn copied(text: &str) -> Option<Box<RawValue>> {
    Box::<RawValue>::deserialize(Raw(text)).ok()
}

struct Raw<'a>(&'a str);

impl<'de> Deserializer<'de> for Raw<'de> {
    type Error = NotTaken;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, NotTaken> {
        Err(NotTaken::custom("only a raw value is asked for"))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, NotTaken> {
        // A map of one entry, whose key is the name that a raw value gives itself.
        visitor.visit_map(MapDeserializer::new(once((name, self.0))))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_json_is_copied_and_not_parsed_again() {
        // What could not be parsed shows it.
        assert_eq!(copied("{ no json").unwrap().get(), "{ no json");
    }

    #[test]
    fn a_copy_is_what_parsing_it_would_give() {
        for text in ["null", " {\"a\" : [1.0, 1e5]}\n", "\"\\u00e9\\ud83d\\ude00\"", "\"\"", "[]"] {
            let parsed = RawValue::from_string(text.trim().to_owned()).unwrap();
            let copied = json(Position::START, text.trim()).unwrap();
            assert_eq!(copied.get(), parsed.get());
            let value: serde_json::Value = serde_json::from_str(copied.get()).unwrap();
            assert_eq!(value, serde_json::from_str::<serde_json::Value>(text).unwrap());
            let embedded = serde_json::to_string(&[&copied, &copied]).unwrap();
            assert_eq!(embedded, format!("[{0},{0}]", text.trim()));
        }
    }
}
