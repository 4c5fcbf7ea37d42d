//! Payloads as cqrs-es has them: the type within, in each of serde's forms.

use foldlog_core::EventSet as _;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::domain::ThingEvent;
use crate::input::{json, parted, stored, text};

#[path = "../../../../eventstore/src/cqrs_es/form.rs"]
#[allow(dead_code, unreachable_pub, reason = "it is used where it is from")]
mod form;

use form::PayloadForm;

/// The name of a type, a line end, and a payload.
pub(super) fn check(data: &[u8]) {
    let text = text(data);
    let (event_type, payload) = parted(&text);
    let forms = [
        PayloadForm::External,
        PayloadForm::Internal { tag: "type".into() },
        PayloadForm::Adjacent { tag: "type".into(), content: "data".into() },
        PayloadForm::Bare,
    ];
    for form in &forms {
        let Some((kind, content)) = form.part(event_type, payload) else { continue };
        // The content is JSON, or nobody could import it.
        assert!(json(content.get()).is_some(), "{form}: {content}");
        assert!(*form == PayloadForm::External || kind == event_type, "{form}: {kind}");
        assert!(has_type(form, event_type, payload), "{form}: {payload}");
    }
    let Some(payload) = json(payload) else { return };
    let Ok(event) = ThingEvent::decode(&stored(event_type, payload, None)) else { return };
    comes_out(&event, event_type);
}

/// What is taken out of a payload that serde wrote means what it did within.
fn comes_out(event: &ThingEvent, kind: &str) {
    let whole = serde_json::to_string(event).unwrap();
    let (found, content) = PayloadForm::External.part("another", &whole).unwrap();
    assert_eq!(found, kind);
    assert_eq!(ThingEvent::decode(&stored(&found, content, None)).unwrap(), *event);
    let adjacent = PayloadForm::Adjacent { tag: "t".into(), content: "c".into() };
    let form = Adjacent::from(event);
    let written = serde_json::to_string(&form).unwrap();
    let (_, content) = adjacent.part(kind, &written).unwrap();
    assert_eq!(ThingEvent::decode(&stored(kind, content, None)).unwrap(), *event);
}

/// The adjacent form, as serde writes it.
#[derive(Serialize, Deserialize)]
struct Adjacent {
    t: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    c: Option<Value>,
}

impl Adjacent {
    fn from(event: &ThingEvent) -> Self {
        match serde_json::to_value(event).unwrap() {
            Value::String(t) => Self { t, c: None },
            Value::Object(fields) => {
                let (t, content) = fields.into_iter().next().unwrap();
                Self { t, c: Some(content) }
            }
            other => panic!("{other} is no event"),
        }
    }
}

/// Whether the field with the type says so, where no field comes twice.
fn has_type(form: &PayloadForm, event_type: &str, payload: &str) -> bool {
    let (PayloadForm::Internal { tag } | PayloadForm::Adjacent { tag, .. }) = form else {
        return true;
    };
    let Ok(fields) = serde_json::from_str::<Map<String, Value>>(payload) else { return true };
    let twice = payload.matches("\"type\"").count() > 1 || payload.contains("\\u");
    twice || fields.get(tag).and_then(Value::as_str) == Some(event_type)
}
