//! The kit for tests without a database: what it lets pass, and above all what it does not.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use foldlog::prelude::*;
use foldlog::testing::given_events;
use uuid::Uuid;

use super::school::{
    COURSES_MAX, CourseEvent, CourseId, Leave, Places, Refused, Workload, course, defined, student,
    subscribe, subscribed,
};

/// The text of a test that fails, as it should.
fn failure<T>(test: impl FnOnce() -> T) -> String {
    let Err(payload) = catch_unwind(AssertUnwindSafe(test)) else { panic!("it did not fail") };
    payload.downcast_ref::<String>().unwrap().clone()
}

#[test]
fn what_is_expected_passes() {
    given_events([]).when(subscribe("c1", "ada")).rejects(Refused::Unknown);
    given_events([defined("c1", 2), subscribed("c1", "bob")])
        .when(subscribe("c1", "ada"))
        .accepts()
        .emits([subscribed("c1", "ada")])
        .emits_with(|events: &[Recorded<CourseEvent>]| events[0].stream == course("c1"))
        .replies(0)
        .replies_with(|left| *left == 0)
        .models(|(places, workload)| assert_eq!((places.taken.len(), workload.courses), (2, 1)))
        .then_when(subscribe("c1", "eve"))
        .rejects(Refused::Full)
        .rejects_with(|refused| matches!(refused, Refused::Full))
        .then_when(Leave(subscribe("c1", "eve")))
        .does_nothing()
        .replies(false)
        .then_when(Leave(subscribe("c1", "bob")))
        .then_when(subscribe("c1", "eve"))
        .accepts();
}

#[test]
fn each_model_is_given_what_its_own_query_selects() {
    let elsewhere = ["c2", "c3", "c4"].map(|name| subscribed(name, "ada"));
    given_events([defined("c1", 9), subscribed("c1", "bob")])
        .model::<Workload>(&student("ada"), |load| assert_eq!(load.events, 0))
        .model::<(Places, Workload)>(&(course("c1"), student("bob")), |(places, load)| {
            assert_eq!((places.events, load.events), (2, 1));
        })
        .when(subscribe("c1", "kim"))
        .accepts()
        .then_given(elsewhere)
        .when(subscribe("c1", "ada"))
        .rejects(Refused::Overworked);
    assert_eq!(COURSES_MAX, 3);
}

#[test]
fn a_given_event_outside_of_the_boundary_fails_and_is_named() {
    let text = failure(|| {
        given_events([defined("c1", 9), subscribed("c2", "bob")]).when(subscribe("c1", "ada"))
    });
    let expected = "\
event 2 is outside of the boundary of Subscribe, so it can't matter to it: is a tag missing? What is \
to show that it does not matter is given by `with_others`
   event: course-c2 Subscribed {\"course\":\"c2\",\"student\":\"bob\"} [course:c2, student:bob]
boundary: course [course:c1]
          course-Subscribed, course-Left [student:ada]
   given: 2 events, 2000-01-01T00:00:00Z
          1 course-c1 Defined {\"capacity\":9,\"course\":\"c1\"} [course:c1]
          2 course-c2 Subscribed {\"course\":\"c2\",\"student\":\"bob\"} [course:c2, student:bob]
          when Subscribe";
    assert_eq!(text, expected);
    // A definition of another course is not of the student's, though the tag would fit.
    let text = failure(|| given_events([defined("c2", 9)]).when(subscribe("c1", "ada")));
    assert!(text.starts_with("event 1 is outside of the boundary"), "{text}");
}

#[test]
fn others_are_shown_not_to_matter() {
    given_events([defined("c1", 1)])
        .with_others([subscribed("c2", "bob"), defined("c2", 0)])
        .when(subscribe("c1", "ada"))
        .accepts()
        // To the next command they may be what they will.
        .then_when(subscribe("c2", "ada"))
        .rejects(Refused::Full);
    let text = failure(|| {
        given_events([defined("c1", 1)])
            .with_others([subscribed("c2", "ada")])
            .when(subscribe("c1", "ada"))
    });
    assert!(text.starts_with("event 2 is within the boundary of Subscribe, so it is"), "{text}");
    let text = failure(|| {
        given_events([defined("c1", 1)])
            .when(subscribe("c1", "ada"))
            .then_given([defined("c2", 1)])
            .when(subscribe("c1", "bob"))
    });
    assert!(text.starts_with("event 3 is outside"), "{text}");
}

#[test]
fn other_events_fail_with_the_history_and_the_field() {
    let when = || given_events([defined("c1", 9)]).when(subscribe("c1", "ada"));
    let text = failure(|| when().emits([subscribed("c1", "bob")]));
    let expected = "\
Subscribe did not come to what was expected
expected: course-c1 Subscribed {\"course\":\"c1\",\"student\":\"bob\"} [course:c1, student:bob]
          event 1 (Subscribed): .student is \"bob\" in what was expected, \"ada\" in what came
    came: course-c1 Subscribed {\"course\":\"c1\",\"student\":\"ada\"} [course:c1, student:ada]
   given: 1 event, 2000-01-01T00:00:00Z
          1 course-c1 Defined {\"capacity\":9,\"course\":\"c1\"} [course:c1]
          when Subscribe";
    assert_eq!(text, expected);
    // The same event for another stream.
    let event = CourseEvent::Subscribed { course: course("c1"), student: student("ada") };
    let text = failure(|| when().emits([any(&course("c2"), event)]));
    assert!(text.contains("event 1 is course-c2 Subscribed"), "{text}");
    let text = failure(|| when().does_nothing());
    assert!(text.contains("expected: no event\n"), "{text}");
    let text = failure(|| when().emits([subscribed("c1", "ada"), defined("c2", 1)]));
    assert!(text.contains("event 2 is course-c2 Defined"), "{text}");
    let text = failure(|| when().replies(5));
    assert!(text.contains("expected: reply 5\n    came: reply 8\n"), "{text}");
    let text = failure(|| when().emits_with(|events: &[Recorded<CourseEvent>]| events.is_empty()));
    assert!(text.contains("the condition of `emits_with`"), "{text}");
    for text in [
        failure(|| when().rejects(Refused::Full)),
        failure(|| when().rejects_with(|_| true)),
        failure(|| when().conflicts()),
    ] {
        assert!(text.contains("\n    came: course-c1 Subscribed"), "{text}");
    }
}

#[test]
fn a_rejection_that_nothing_expected_fails_whatever_was_expected() {
    let when = || given_events([]).when(subscribe("c1", "ada"));
    for text in [
        failure(|| when().accepts()),
        failure(|| when().emits([subscribed("c1", "ada")])),
        failure(|| when().does_nothing()),
        failure(|| when().replies(0)),
        failure(|| when().models(|_| {})),
        failure(|| when().then_when(subscribe("c1", "bob"))),
        failure(|| when().then_given([])),
        failure(|| when().rejects(Refused::Full)),
    ] {
        assert!(text.contains("\n    came: rejection Unknown\n"), "{text}");
    }
}

/// Opens two courses, whose streams must be new; and says what the context says.
struct Opening {
    at: [CourseId; 2],
    times: AtomicUsize,
    pure: bool,
}

fn open(one: &str, two: &str, pure: bool) -> Opening {
    Opening { at: [course(one), course(two)], times: AtomicUsize::new(0), pure }
}

impl Boundary for Opening {
    type Models = (Places, Places);
    type Reply = (SystemTime, Metadata, Option<Uuid>);
    type Rejection = Refused;

    fn about(&self) -> (CourseId, CourseId) {
        let [one, two] = &self.at;
        (one.clone(), two.clone())
    }

    fn decide(&self, _: &(Places, Places), cx: &BoundaryContext) -> Concluded<Self> {
        let times = self.times.fetch_add(1, Ordering::Relaxed);
        let capacity = if self.pure { 1 } else { times + 1 };
        let defined =
            |at: &CourseId| no_stream(at, CourseEvent::Defined { course: at.clone(), capacity });
        let said = (cx.now(), cx.metadata().clone(), cx.command_id());
        Ok((self.at.iter().map(defined).collect::<Vec<_>>(), said).into())
    }
}

#[test]
fn events_for_several_streams_are_told_apart_and_what_each_must_be_at_is_judged() {
    given_events([])
        .when(open("c1", "c2", true))
        .emits([defined("c1", 1), defined("c2", 1)])
        .then_when(open("c2", "c3", true))
        .conflicts();
    let text = failure(|| given_events([defined("c2", 5)]).when(open("c1", "c2", true)).accepts());
    assert!(
        text.contains("conflict: stream course-c2 is at version 1, expected no stream"),
        "{text}"
    );
    let text = failure(|| given_events([]).when(open("c1", "c1", true)));
    assert!(text.contains("stream course-c1 stands twice"), "{text}");
    let text = failure(|| {
        let event = CourseEvent::Defined { course: course("c1"), capacity: 1 };
        given_events([exists(&course("c1"), event)])
    });
    assert!(text.starts_with("what is given can't be: stream course-c1 is at version 0"), "{text}");
}

#[test]
fn a_decision_that_is_not_pure_fails() {
    let text = failure(|| given_events([]).when(open("c1", "c2", false)));
    assert!(
        text.contains("event 1 (Defined): .capacity is 1 the first time, 2 the second"),
        "{text}"
    );
}

#[test]
fn time_stands_still_until_it_is_moved_and_an_id_is_for_one_command() {
    let noon = SystemTime::UNIX_EPOCH + Duration::from_secs(12 * 3_600);
    let visit = Metadata::new().correlation("visit 7");
    let key = Uuid::from_u128(7);
    given_events([])
        .at(noon)
        .metadata(visit.clone())
        .command_id(key)
        .when(open("c1", "c2", true))
        .replies((noon, visit.clone().causation(key.to_string()), Some(key)))
        .emits_with(|events: &[Recorded<CourseEvent>]| {
            events[0].metadata.causation_id == Some(key.to_string()) && events[0].recorded == noon
        })
        .later(Duration::from_secs(60))
        .then_when(open("c3", "c4", true))
        .replies((noon + Duration::from_secs(60), visit, None));
}

#[test]
fn what_could_not_be_appended_can_be_neither_given_nor_emitted() {
    let empty = CourseEvent::Defined { course: course(""), capacity: 1 };
    let text = failure(|| given_events([any(&course("c1"), empty)]));
    assert!(text.contains("a tag named \"course\" can't be: its value is empty"), "{text}");
}
