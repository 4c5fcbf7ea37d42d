//! An id for tests that do not care which.

use std::any::type_name;
use std::borrow::Cow;

use crate::key::{Key, join};

/// What most ids can be made of: a text, a number, a uuid.
const PARTS: [&str; 3] = ["test", "1", "00000000-0000-0000-0000-000000000001"];

/// How many parts the longest key has that is tried.
const PARTS_MAX: u32 = 4;

/// An id made of the first sample text that is one.
pub(super) fn id<I: Key>() -> Option<I> {
    (1..=PARTS_MAX).find_map(|parts| {
        (0..PARTS.len().pow(parts)).find_map(|choice| I::from_key(&key(choice, parts)))
    })
}

/// The text of a choice: a number whose digits say which sample stands at which part.
fn key(mut choice: usize, parts: u32) -> String {
    let mut texts = Vec::new();
    for _ in 0..parts {
        texts.extend(PARTS.get(choice % PARTS.len()).copied().map(Cow::Borrowed));
        choice /= PARTS.len();
    }
    join(&texts)
}

/// What to do about an id that none of the samples fits.
pub(super) fn missing<I: Key>() -> String {
    let name = type_name::<I>();
    format!(
        "a decision needs an id, and no sample text is a {name}: give one, as in \
         `given::<…>(events).id(…).when(…)`, or begin with `given_id`"
    )
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn ids_of_texts_numbers_uuids_and_pairs_of_them_are_found() {
        assert_eq!(id::<String>().unwrap(), "test");
        assert_eq!(id::<u32>(), Some(1));
        assert_eq!(id::<Uuid>(), Some(Uuid::from_u128(1)));
        assert_eq!(id::<(u64, String)>(), Some((1, "test".into())));
        assert_eq!(
            id::<(i16, Uuid, i16, String)>(),
            Some((1, Uuid::from_u128(1), 1, "test".into()))
        );
    }

    #[test]
    fn an_id_that_is_none_of_them_is_not_made_up() {
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        struct Weekday;
        impl Key for Weekday {
            fn to_key(&self) -> Cow<'_, str> {
                Cow::Borrowed("monday")
            }
            fn from_key(key: &str) -> Option<Self> {
                (key == "monday").then_some(Self)
            }
        }
        assert_eq!(id::<Weekday>(), None);
        let remedy = missing::<Weekday>();
        assert!(remedy.contains("Weekday") && remedy.contains(".id(…)"), "{remedy}");
    }
}
