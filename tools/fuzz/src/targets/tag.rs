//! Tags, and the queries that are made of them.

use foldlog_core::{ErrorKind, Query, QueryItem, Tag};

use crate::domain::{Place, ThingEvent};
use crate::input::text;
use crate::judge::{NAME_BYTES, refused};

/// A tag on each line, `name:value`.
pub(super) fn check(data: &[u8]) {
    let text = text(data);
    let mut tags = Vec::new();
    for line in text.split('\n') {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        match Tag::new(name, value) {
            Ok(tag) => {
                assert!(fits(name, value), "{line:?}");
                assert_eq!(tag.as_str(), line);
                tags.push(tag);
            }
            Err(error) => {
                assert!(!fits(name, value), "{error}");
                refused(&error, ErrorKind::Invalid, "tag");
            }
        }
    }
    of_key(&text);
    matches(&tags);
}

fn fits(name: &str, value: &str) -> bool {
    let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
    let control = |c: char| matches!(c, '\0'..='\x1f' | '\x7f'..='\u{9f}');
    let whole = !name.is_empty() && !value.is_empty() && name.len() + value.len() < NAME_BYTES;
    whole && name.bytes().all(plain) && !value.chars().any(control)
}

/// The tag of a derived key says the key.
fn of_key(text: &str) {
    let place = Place { hall: text.to_owned(), seat: 7 };
    if let Ok(tag) = Tag::of(&place) {
        let value = tag.as_str().strip_prefix("place_2:").unwrap();
        assert_eq!(<Place as foldlog::Key>::from_key(value), Some(place));
    }
}

/// An item selects the events that have all of its tags.
fn matches(tags: &[Tag]) {
    let (asked, had) = tags.split_at(tags.len() / 2);
    let query = asked.iter().fold(Query::of::<ThingEvent>(), Query::tagged);
    let items: &[QueryItem] = query.items().unwrap();
    let all = asked.iter().all(|tag| had.iter().any(|has| has.as_str() == tag.as_str()));
    assert_eq!(items[0].matches("thing", "Closed", had), all);
    assert!(!items[0].matches("things", "Closed", had));
    let one_kind = QueryItem { types: vec!["thing-Closed".to_owned()], tags: asked.to_vec() };
    assert_eq!(one_kind.matches("thing", "Closed", had), all);
    assert!(!one_kind.matches("thing", "Noted", had));
}
