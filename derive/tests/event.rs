use std::sync::Arc;
use std::time::SystemTime;

use foldlog_core::{
    ErrorKind, Event as _, EventSet, Position, RawEvent, StoreId, StreamName, Tenant, Token,
};
use foldlog_derive::Event;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::key::AccountId;

#[derive(Event, Debug, PartialEq, Serialize, Deserialize)]
#[event(category = "account", id = AccountId)]
pub(crate) enum AccountEvent {
    Opened {
        owner: String,
    },
    #[serde(rename = "paid_in")]
    Deposited(i64),
    Closed,
}

/// An event as the store would give it back.
pub(crate) fn stored(stream: &str, kind: &str, payload: &str) -> RawEvent {
    RawEvent {
        stream: StreamName::parse(&Tenant::default(), stream).unwrap(),
        version: 3,
        token: Token::new(StoreId::new(Uuid::nil(), 0), 0, Position::new(9)),
        id: Uuid::nil(),
        kind: Arc::from(kind),
        schema_version: 1,
        payload: RawValue::from_string(payload.to_owned()).unwrap(),
        metadata: None,
        recorded: SystemTime::UNIX_EPOCH,
    }
}

pub(crate) const STREAM: &str = "account-00000000-0000-0000-0000-000000000007";

#[test]
fn an_event_comes_back_with_the_id_of_its_stream() {
    let id = AccountId(Uuid::from_u128(7));
    assert_eq!(StreamName::of::<AccountEvent>(&Tenant::default(), &id).unwrap().as_str(), STREAM);
    for event in [
        AccountEvent::Opened { owner: "Ada".into() },
        AccountEvent::Deposited(5),
        AccountEvent::Closed,
    ] {
        let encoded = event.encode().unwrap();
        let raw = stored(STREAM, encoded.kind, encoded.payload.get());
        let recorded = raw.typed::<AccountEvent>().unwrap();
        assert_eq!((recorded.stream, recorded.event), (id.clone(), event));
    }
}

#[test]
fn category_and_types_are_known_without_a_value() {
    assert_eq!(AccountEvent::CATEGORY, "account");
    assert_eq!(AccountEvent::CATEGORIES, ["account"]);
    assert_eq!(AccountEvent::kinds().unwrap(), ["Opened", "paid_in", "Closed"]);
}

#[test]
fn a_stream_of_another_id_or_category_is_an_error_that_names_stream_and_type() {
    let category_of_another = STREAM.replace("account", "invoice");
    for name in ["account-7", category_of_another.as_str()] {
        let name = StreamName::parse(&Tenant::default(), name).unwrap();
        let error = AccountEvent::stream(&name).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode);
        let text = error.to_string();
        assert!(text.contains(name.as_str()), "{text}");
        assert!(text.contains("AccountId") && text.contains("AccountEvent"), "{text}");
    }
}

#[test]
fn an_unknown_type_is_an_error() {
    let error = AccountEvent::decode(&stored(STREAM, "Reopened", "null")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert!(error.to_string().contains("Reopened"), "{error}");
}
