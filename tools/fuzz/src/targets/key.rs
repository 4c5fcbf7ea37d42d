//! Keys: of the built-in types, of tuples, and derived.

use arbitrary::{Result, Unstructured};
use foldlog::Key;
use uuid::Uuid;

use crate::domain::{Colour, Name, Nested, Number, Place};
use crate::input::text;

pub(super) fn check(data: &[u8]) {
    let text = text(data);
    read::<String>(&text);
    read::<Uuid>(&text);
    read::<i16>(&text);
    read::<i32>(&text);
    read::<i64>(&text);
    read::<u16>(&text);
    read::<u32>(&text);
    read::<u64>(&text);
    read::<(String, i32)>(&text);
    read::<(Uuid, String, u64)>(&text);
    read::<(String, String, String, String)>(&text);
    read::<((String, u16), (i64, String))>(&text);
    read::<Name>(&text);
    read::<Number>(&text);
    read::<Place>(&text);
    read::<Nested>(&text);
    read::<Colour>(&text);
    let mut bytes = Unstructured::new(data);
    if let (Ok(one), Ok(other)) = (nested(&mut bytes), nested(&mut bytes)) {
        written(&one, &other);
        let pair = |key: &Nested| (key.1.0.clone(), (key.0.hall.clone(), key.0.seat));
        written(&pair(&one), &pair(&other));
    }
}

/// Two texts never name one key: what is read is written as it was.
fn read<K: Key>(text: &str) {
    if let Some(key) = K::from_key(text) {
        assert_eq!(key.to_key(), text);
    }
}

/// A key comes back, and two keys have one text only if they are one.
fn written<K: Key>(one: &K, other: &K) {
    for key in [one, other] {
        assert_eq!(K::from_key(&key.to_key()).as_ref(), Some(key));
    }
    assert_eq!(one == other, one.to_key() == other.to_key());
}

fn nested(bytes: &mut Unstructured<'_>) -> Result<Nested> {
    let place = Place { hall: bytes.arbitrary()?, seat: bytes.arbitrary()? };
    let id = Uuid::from_bytes(bytes.arbitrary()?);
    let colour = bytes.choose(&[Colour::Red, Colour::DarkBlue, Colour::Green2])?;
    Ok(Nested(place, Name(bytes.arbitrary()?), id, colour.clone()))
}
