//! The tags of events, from their fields.

use foldlog_core::{ErrorKind, Event as _, EventSet as _, Tag, TagKey as _};
use foldlog_derive::{Event, Key};
use serde::{Deserialize, Serialize};

use crate::event::{AccountEvent, stored};

#[derive(Key, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[key(tag = "course")]
struct CourseId(String);

#[derive(Key, Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[key(tag = "student")]
struct StudentId(u32);

#[derive(Key, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[key(tag = "seat_2")]
struct Seat {
    row: u32,
    place: u32,
}

#[derive(Key, Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[key(tag = "hall")]
enum Hall {
    GreatHall,
}

#[derive(Event, Debug, PartialEq, Serialize, Deserialize)]
#[event(category = "course", id = CourseId)]
enum CourseEvent {
    Named {
        #[tag]
        course: CourseId,
        name: String,
    },
    Paired(#[tag] StudentId, u8, #[tag] StudentId),
    Moved {
        #[tag]
        hall: Option<Hall>,
        #[tag]
        seats: Vec<Seat>,
        #[serde(rename = "who")]
        #[tag]
        r#type: StudentId,
    },
    Closed,
    Noted(String),
}

fn tags(event: &CourseEvent) -> Vec<String> {
    let tags = event.tags().unwrap();
    let encoded = event.encode().unwrap();
    assert_eq!(encoded.tags, tags);
    // A tag is taken from the event, and stays in it.
    let raw = stored("course-c1", encoded.kind, encoded.payload.get());
    assert_eq!(CourseEvent::decode(&raw).unwrap().tags().unwrap(), tags);
    tags.iter().map(Tag::to_string).collect()
}

#[test]
fn a_marked_field_tags_its_event_wherever_it_stands() {
    let course = CourseId("c1".into());
    let named = CourseEvent::Named { course, name: "Logic".into() };
    assert_eq!(tags(&named), ["course:c1"]);
    assert_eq!(
        tags(&CourseEvent::Paired(StudentId(1), 9, StudentId(2))),
        ["student:1", "student:2"]
    );
    assert!(tags(&CourseEvent::Closed).is_empty());
    assert!(tags(&CourseEvent::Noted("course:c1".into())).is_empty());
}

#[test]
fn an_option_and_a_vector_tag_it_by_what_they_hold() {
    let seat = |place| Seat { row: 1, place };
    let moved = |hall, seats| CourseEvent::Moved { hall, seats, r#type: StudentId(7) };
    assert_eq!(tags(&moved(None, vec![])), ["student:7"]);
    assert_eq!(
        tags(&moved(Some(Hall::GreatHall), vec![seat(2), seat(3)])),
        ["hall:great_hall", "seat_2:1/2", "seat_2:1/3", "student:7"]
    );
}

#[test]
fn a_tag_that_stands_twice_is_one_tag() {
    assert_eq!(tags(&CourseEvent::Paired(StudentId(1), 9, StudentId(1))), ["student:1"]);
    let seats = vec![Seat { row: 1, place: 2 }; 3];
    let moved = CourseEvent::Moved { hall: None, seats, r#type: StudentId(7) };
    assert_eq!(tags(&moved).len(), 2);
}

#[test]
fn the_key_names_the_tag() {
    assert_eq!((CourseId::TAG, Seat::TAG, Hall::TAG), ("course", "seat_2", "hall"));
}

#[test]
fn an_event_without_tags_has_none_and_asks_for_nothing() {
    // The method of the trait, which allocates nothing.
    assert_eq!(AccountEvent::Closed.tags().unwrap().capacity(), 0);
    assert_eq!(AccountEvent::Closed.encode().unwrap().tags.capacity(), 0);
}

#[test]
fn a_value_that_can_be_no_tag_is_refused_when_the_event_is_written() {
    for course in [String::new(), "a\nb".into(), "x".repeat(300)] {
        let named = CourseEvent::Named { course: CourseId(course), name: "Logic".into() };
        assert_eq!(named.encode().unwrap_err().kind(), ErrorKind::Invalid);
    }
}
