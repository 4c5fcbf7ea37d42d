//! The forms in which serde writes an enum, and how the content of an event is taken out of each.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// How the payloads of an aggregate hold the type of an event: a choice of its enum, by serde.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PayloadForm {
    /// serde's default: `{"Deposited":{"cents":5}}`, and `"Closed"` without content. The tag names
    /// the type, also where `event_type` says something else.
    External,
    /// `#[serde(tag = "…")]`: `{"type":"Deposited","cents":5}`.
    Internal {
        /// The name of the field.
        tag: String,
    },
    /// `#[serde(tag = "…", content = "…")]`: `{"type":"Deposited","data":{"cents":5}}`.
    Adjacent {
        /// The name of the field with the type.
        tag: String,
        /// The name of the field with the content.
        content: String,
    },
    /// `#[serde(untagged)]`, or a struct: `{"cents":5}`. `event_type` names the type.
    Bare,
}

impl fmt::Display for PayloadForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::External => f.write_str("wrapped in their type"),
            Self::Internal { tag } => write!(f, "with their type in the field {tag:?}"),
            Self::Adjacent { tag, content } => {
                write!(f, "with their type in the field {tag:?}, their content in {content:?}")
            }
            Self::Bare => f.write_str("without their type, which is the event_type"),
        }
    }
}

/// A payload, seen from outside.
pub(super) enum Outside<'p> {
    Text(String),
    Object(Vec<(String, &'p RawValue)>),
    Else,
}

impl<'p> Outside<'p> {
    pub(super) fn of(payload: &'p str) -> Self {
        match payload.trim_start().as_bytes().first() {
            Some(b'"') => serde_json::from_str(payload).map_or(Self::Else, Self::Text),
            Some(b'{') => {
                let fields = serde_json::from_str::<Fields<'p>>(payload);
                fields.map_or(Self::Else, |fields| Self::Object(fields.0))
            }
            _ => Self::Else,
        }
    }
}

/// The fields of an object, in their order.
struct Fields<'p>(Vec<(String, &'p RawValue)>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry::<String, &'de RawValue>()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

/// Whether a value is this text.
pub(super) fn is_text(value: &RawValue, text: &str) -> bool {
    let json = value.get();
    match json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        // The usual case: without escapes.
        Some(plain) if !plain.contains('\\') => plain == text,
        Some(_) => serde_json::from_str::<String>(json).is_ok_and(|value| value == text),
        None => false,
    }
}

impl PayloadForm {
    /// The type and the content of a payload, the content byte for byte as it is there; `None` if the
    /// payload is not of this form. What has no content gets null, as foldlog stores it.
    pub(super) fn part(&self, event_type: &str, payload: &str) -> Option<(String, Box<RawValue>)> {
        let kind = || event_type.to_owned();
        match (self, Outside::of(payload)) {
            (Self::External, Outside::Text(tag)) => Some((tag, null())),
            (Self::External, Outside::Object(mut fields)) if fields.len() == 1 => {
                fields.pop().map(|(tag, content)| (tag, content.to_owned()))
            }
            (Self::Internal { tag }, Outside::Object(fields)) => {
                fields.iter().find(|(name, value)| name == tag && is_text(value, event_type))?;
                Some((kind(), without(&fields, tag)))
            }
            (Self::Adjacent { tag, content }, Outside::Object(fields)) => {
                fields.iter().find(|(name, value)| name == tag && is_text(value, event_type))?;
                let inner = fields.iter().find(|(name, _)| name == content);
                Some((kind(), inner.map_or_else(null, |(_, value)| (*value).to_owned())))
            }
            (Self::Bare, _) => {
                RawValue::from_string(payload.trim().to_owned()).ok().map(|raw| (kind(), raw))
            }
            (Self::External | Self::Internal { .. } | Self::Adjacent { .. }, _) => None,
        }
    }
}

fn null() -> Box<RawValue> {
    RawValue::NULL.to_owned()
}

/// An object without one of its fields; null if that was the only one.
fn without(fields: &[(String, &RawValue)], tag: &str) -> Box<RawValue> {
    let rest: Vec<String> = fields
        .iter()
        .filter(|(name, _)| name != tag)
        .map(|(name, value)| format!("{}:{}", serde_json::Value::from(name.as_str()), value.get()))
        .collect();
    if rest.is_empty() {
        return null();
    }
    RawValue::from_string(format!("{{{}}}", rest.join(","))).unwrap_or_else(|_| null())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(form: &PayloadForm, payload: &str) -> Option<(String, String)> {
        form.part("Paid", payload).map(|(kind, content)| (kind, content.get().to_owned()))
    }

    #[test]
    fn each_form_gives_up_its_content_byte_for_byte() {
        let internal = PayloadForm::Internal { tag: "type".into() };
        let adjacent = PayloadForm::Adjacent { tag: "t".into(), content: "c".into() };
        let (external, bare) = (PayloadForm::External, PayloadForm::Bare);
        for (form, payload, kind, content) in [
            (&external, r#"{"Paid": {"cents" : 1.0}}"#, "Paid", r#"{"cents" : 1.0}"#),
            (&external, r#"{"Paid":[1,2]}"#, "Paid", "[1,2]"),
            (&external, r#""Paid""#, "Paid", "null"),
            (&external, r#"{"InvoicePaid":{}}"#, "InvoicePaid", "{}"),
            (
                &internal,
                r#"{"cents":5,"type":"Paid","a\"b":[{}]}"#,
                "Paid",
                r#"{"cents":5,"a\"b":[{}]}"#,
            ),
            (&internal, r#"{"type":"Paid"}"#, "Paid", "null"),
            (&adjacent, r#"{"t":"Paid","c":[1]}"#, "Paid", "[1]"),
            (&adjacent, r#"{"t":"Paid"}"#, "Paid", "null"),
            (&bare, r#" {"cents":5} "#, "Paid", r#"{"cents":5}"#),
        ] {
            let parts = part(form, payload);
            assert_eq!(parts, Some((kind.to_owned(), content.to_owned())), "{payload}");
        }
        for (form, payload) in [
            (&external, r#"{"a":1,"b":2}"#),
            (&external, "[1]"),
            (&internal, r#"{"type":"Other"}"#),
            (&adjacent, r#"{"c":1}"#),
        ] {
            assert_eq!(part(form, payload), None, "{payload}");
        }
    }

    #[test]
    fn a_type_is_told_by_what_its_text_says_and_not_by_how_it_is_written() {
        let internal = PayloadForm::Internal { tag: "type".into() };
        let is = |event_type, payload| internal.part(event_type, payload).is_some();
        assert!(is("a\nb", r#"{"type":"a\nb"}"#));
        assert!(is(r"a\nb", r#"{"type":"a\\nb"}"#));
        assert!(!is(r"a\nb", r#"{"type":"a\nb"}"#));
    }
}
