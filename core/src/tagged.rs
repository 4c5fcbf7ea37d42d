//! An enum of events as a pair: the name of the variant, and its content as JSON.
//!
//! serde's usual form, `{"Opened": {…}}`, holds the type inside the payload. The store keeps the type
//! in a column of its own, so these adapters split the two without building a tree in between.

mod read;
mod write;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, ErrorKind};
use crate::event::{Encoded, RawEvent};

/// The variants of an enum, by the names serde gives them.
///
/// # Errors
///
/// [`ErrorKind::Invalid`] if serde does not read the type as an externally tagged enum.
pub fn kinds<E: DeserializeOwned>() -> Result<&'static [&'static str], Error> {
    read::variants::<E>().ok_or_else(|| {
        Error::new(
            ErrorKind::Invalid,
            format!(
                "{} is not an enum in serde's default form: remove #[serde(tag)], \
                 #[serde(untagged)] or the like, the type of an event is stored beside its payload",
                std::any::type_name::<E>()
            ),
        )
    })
}

/// Splits an event into its type and its payload.
///
/// # Errors
///
/// [`ErrorKind::Invalid`] if serde refuses the value, or could not read it back: a float that is not
/// a number, for one, is written as null.
pub fn encode<E: Serialize + DeserializeOwned>(event: &E) -> Result<Encoded, Error> {
    write::parts(event)
        .and_then(|encoded| read::value::<E>(encoded.kind, encoded.payload.get()).map(|_| encoded))
        .map_err(|cause| {
            Error::new(
                ErrorKind::Invalid,
                format!(
                    "an event of type {} can't be written as JSON that reads back",
                    std::any::type_name::<E>()
                ),
            )
            .with_source(cause)
        })
}

/// Joins a stored type and payload to an event.
///
/// # Errors
///
/// [`ErrorKind::Decode`] for an unknown type or a payload that does not fit.
pub fn decode<E: DeserializeOwned>(raw: &RawEvent) -> Result<E, Error> {
    read::value(&raw.kind, raw.payload.get()).map_err(|cause| {
        Error::new(
            ErrorKind::Decode,
            format!(
                "{} can't be read as {}: deploy a program that knows this type and shape",
                raw.place(),
                std::any::type_name::<E>()
            ),
        )
        .with_source(cause)
    })
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Event {
        Closed,
        Noted(String),
        Moved(i64, i64),
        Weighed(f64),
        Opened { owner: String, big: u64 },
    }

    #[test]
    fn every_shape_of_variant_comes_back() {
        let events = [
            (Event::Closed, "closed", "null"),
            (Event::Noted("a\"b".into()), "noted", r#""a\"b""#),
            (Event::Moved(1, -2), "moved", "[1,-2]"),
            (
                Event::Opened { owner: "Ada".into(), big: u64::MAX },
                "opened",
                r#"{"owner":"Ada","big":18446744073709551615}"#,
            ),
        ];
        for (event, kind, payload) in events {
            let encoded = encode(&event).unwrap();
            assert_eq!((encoded.kind, encoded.payload.get()), (kind, payload));
            assert_eq!(read::value::<Event>(kind, payload).unwrap(), event);
        }
    }

    #[test]
    fn an_unknown_type_or_a_wrong_payload_is_an_error() {
        for (kind, payload) in [
            ("gone", "null"),
            ("closed", "1"),
            ("opened", r#"{"owner":"Ada"}"#),
            ("moved", "[1,2,3]"),
            ("noted", "\"a\" \"b\""),
        ] {
            assert!(read::value::<Event>(kind, payload).is_err(), "{kind} {payload}");
        }
    }

    #[test]
    fn a_float_comes_back_to_its_last_bit() {
        for float in [122.416_294_033_786_57, 0.1 + 0.2, f64::MAX, f64::MIN_POSITIVE, 5e-324, -0.0]
        {
            let encoded = encode(&Event::Weighed(float)).unwrap();
            let read = read::value::<Event>(encoded.kind, encoded.payload.get()).unwrap();
            let Event::Weighed(read) = read else { panic!("{read:?}") };
            assert_eq!(read.to_bits(), float.to_bits(), "{float}");
        }
    }

    #[test]
    fn the_types_are_known_without_a_value() {
        assert_eq!(kinds::<Event>().unwrap(), ["closed", "noted", "moved", "weighed", "opened"]);
        #[derive(Deserialize)]
        #[serde(tag = "type")]
        #[allow(dead_code, reason = "only its shape matters")]
        enum Inside {
            A { x: i64 },
        }
        assert_eq!(kinds::<Inside>().unwrap_err().kind(), ErrorKind::Invalid);
        assert!(encode(&1_i64).is_err());
    }

    #[test]
    fn what_could_not_be_read_back_is_refused() {
        assert_eq!(encode(&Event::Weighed(1.5)).unwrap().payload.get(), "1.5");
        let error = encode(&Event::Weighed(f64::NAN)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }
}
