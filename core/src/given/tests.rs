//! What the kit lets pass, and above all what it does not.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use super::bank::{
    Account, AccountEvent, Ask, Depot, Forgetful, Look, North, Parcel, Refused, Send, Tenths,
    Withdraw, deposited, failure, opened, withdrawn,
};
use super::*;
use crate::decider::{Context, Decided, Handles};

#[test]
fn what_is_expected_passes() {
    given::<Account>([opened()])
        .when(Withdraw { cents: 5 })
        .rejects(Refused::Short { by: 5 })
        .rejects_with(|refused| matches!(refused, Refused::Short { by: 1.. }));
    given::<Account>([opened(), deposited(10)])
        .when(Withdraw { cents: 4 })
        .emits([withdrawn(4)])
        .emits_with(|events| matches!(events, [AccountEvent::Withdrawn { cents: 4 }]))
        .replies(6)
        .replies_with(|left| *left > 5)
        .state(|account| assert_eq!(account.cents, 6));
    given::<Account>([]).when(Withdraw { cents: 0 }).does_nothing().replies(0);
    given::<Account>([opened()]).state(|account| assert_eq!(account.owner.as_deref(), Some("Ada")));
}

#[test]
fn commands_follow_one_another_on_what_came_of_those_before() {
    given::<Account>([opened(), deposited(10)])
        .when(Withdraw { cents: 4 })
        .then_when(Withdraw { cents: 7 })
        .rejects(Refused::Short { by: 1 })
        .then_when(Withdraw { cents: 6 })
        .emits([withdrawn(6)])
        .replies(0)
        .then_when(Look)
        .replies_with(|(_, version, _)| *version == 4);
}

#[test]
fn other_events_fail_with_the_history_and_the_field() {
    let text = failure(|| {
        given::<Account>([opened(), deposited(10)])
            .when(Withdraw { cents: 1 })
            .then_when(Withdraw { cents: 4 })
            .emits([withdrawn(5)])
    });
    let expected = "\
Withdraw did not come to what was expected
expected: Withdrawn {\"cents\":5}
          event 1 (Withdrawn): .cents is 5 in what was expected, 4 in what came
    came: Withdrawn {\"cents\":4}
   given: Account \"test\" at version 3, 2000-01-01T00:00:00Z
          1 Opened {\"owner\":\"Ada\"}
          2 Deposited {\"cents\":10}
          when Withdraw
          3 Withdrawn {\"cents\":1}
          when Withdraw";
    assert_eq!(text, expected);
}

#[test]
fn a_wrong_number_or_type_of_events_fails() {
    let when = || given::<Account>([opened(), deposited(10)]).when(Withdraw { cents: 4 });
    for (events, told) in [
        (vec![], "event 1 is missing in what was expected, Withdrawn {\"cents\":4} in what came"),
        (
            vec![withdrawn(4), withdrawn(4)],
            "event 2 is Withdrawn {\"cents\":4} in what was expected, missing in what came",
        ),
        (
            vec![deposited(4)],
            "event 1 is Deposited {\"cents\":4} in what was expected, Withdrawn {\"cents\":4} in",
        ),
    ] {
        let text = failure(|| when().emits(events));
        assert!(text.contains(told), "{text}");
    }
    let text = failure(|| when().does_nothing());
    assert!(text.contains("expected: no event\n"), "{text}");
    let text = failure(|| when().emits_with(|events| events.is_empty()));
    assert!(text.contains("expected: events that satisfy the condition"), "{text}");
    let text = failure(|| given::<Depot>([]).id(North).when(Send(|| Parcel::Sent)).emits([]));
    assert!(text.contains("came: Sent null\n"), "{text}");
}

#[test]
fn another_reply_fails() {
    let when = || given::<Account>([opened(), deposited(10)]).when(Withdraw { cents: 4 });
    let text = failure(|| when().replies(7));
    assert!(text.contains("expected: reply 7\n    came: reply 6\n"), "{text}");
    let text = failure(|| when().replies_with(|left| *left > 6));
    assert!(text.contains("expected: a reply that satisfies"), "{text}");
}

#[test]
fn a_rejection_where_none_was_expected_fails_whatever_was_expected() {
    let when = || given::<Account>([opened()]).when(Withdraw { cents: 4 });
    for text in [
        failure(|| when().emits([withdrawn(4)])),
        failure(|| when().emits_with(|_| true)),
        failure(|| when().does_nothing()),
        failure(|| when().replies(0)),
        failure(|| when().replies_with(|_| true)),
        failure(|| when().state(|_| {})),
        failure(|| when().then_when(Withdraw { cents: 0 })),
        failure(|| when().rejects(Refused::Closed)),
        failure(|| when().rejects_with(|_| false)),
    ] {
        assert!(text.contains("\n    came: rejection Short { by: 4 }\n"), "{text}");
    }
}

#[test]
fn an_acceptance_where_a_rejection_was_expected_fails() {
    let when = || given::<Account>([opened(), deposited(9)]).when(Withdraw { cents: 9 });
    for text in [
        failure(|| when().rejects(Refused::Short { by: 4 })),
        failure(|| when().rejects_with(|_| true)),
    ] {
        assert!(text.contains("\n    came: Withdrawn {\"cents\":9}\n"), "{text}");
    }
}

#[test]
fn the_panic_points_at_the_line_of_the_test() {
    use std::panic::{self, Location};
    use std::sync::Mutex;

    // The hook is that of the process: other tests panic too, so only this thread's are noted.
    let (thread, seen) = (std::thread::current().id(), Arc::new(Mutex::new(Vec::new())));
    let (noted, before) = (Arc::clone(&seen), Arc::new(panic::take_hook()));
    let chained = Arc::clone(&before);
    panic::set_hook(Box::new(move |info| {
        if std::thread::current().id() == thread {
            noted.lock().unwrap().extend(info.location().map(|l| (l.file().to_owned(), l.line())));
        } else {
            chained(info);
        }
    }));
    let start = Location::caller().line();
    let when = || given::<Account>([opened()]).when(Withdraw { cents: 4 });
    failure(|| when().emits([]));
    failure(|| when().replies(1));
    failure(|| when().rejects(Refused::Closed));
    failure(|| when().state(|_| {}));
    failure(|| given::<Depot>([Parcel::Lost]));
    failure(|| given::<Depot>([]).when(Send(|| Parcel::Sent)));
    failure(|| snapshots_agree::<Forgetful>([deposited(1), withdrawn(1)]));
    failure(|| round_trips([Parcel::Lost]));
    panic::set_hook(Box::new(move |info| before(info)));
    let lines: Vec<u32> = seen
        .lock()
        .unwrap()
        .iter()
        .map(|(file, line)| {
            assert!(file.ends_with("given/tests.rs"), "{file}:{line}");
            line - start
        })
        .collect();
    assert_eq!(lines, [2, 3, 4, 5, 6, 7, 8, 9]);
}

#[test]
fn the_state_is_folded_from_what_was_read_back() {
    given::<Depot>([Parcel::Noted { grams: 5 }])
        .id(North)
        .state(|depot| assert_eq!(depot.grams, 0))
        .when(Send(|| Parcel::Noted { grams: 7 }))
        .emits([Parcel::Noted { grams: 9 }])
        .emits_with(|events| matches!(events, [Parcel::Noted { grams: 0 }]))
        .state(|depot| assert_eq!(depot.grams, 0));
}

#[test]
fn an_event_that_is_not_stored_well_fails_whether_given_or_emitted() {
    let text = failure(|| given::<Depot>([Parcel::Scaled { tenths: Tenths(1) }]));
    assert!(text.starts_with("event 1 (Scaled) does not mean the same"), "{text}");
    let text = failure(|| {
        given::<Depot>([Parcel::Weighed { grams: 1 }]).id(North).when(Send(|| Parcel::Lost))
    });
    assert!(text.starts_with("event 2 (Lost) can't be read back"), "{text}");
    assert!(text.contains("1 Weighed {\"grams\":1}\n          when Send"), "{text}");
    given::<Depot>([Parcel::Weighed { grams: u128::MAX - 1 }])
        .id(North)
        .when(Send(|| Parcel::Weighed { grams: 1 }))
        .emits([Parcel::Weighed { grams: 1 }])
        .state(|depot| assert_eq!(depot.grams, u128::MAX));
}

/// Takes its numbers from where it must not.
struct Counted(AtomicI64);

impl Handles<Counted> for Account {
    type Reply = ();

    fn decide(&self, command: &Counted, _: &Context<Self>) -> Decided<Self, Counted> {
        match command.0.fetch_add(1, Ordering::Relaxed) {
            by @ ..0 => Err(Refused::Short { by: -by }),
            cents => Ok(deposited(cents).into()),
        }
    }
}

#[test]
fn a_decision_that_is_not_pure_fails() {
    for (start, told) in [
        (5, "event 1 (Deposited): .cents is 5 the first time, 6 the second time"),
        (
            -1,
            "rejected with Short { by: 1 } the first time, accepted with Deposited {\"cents\":0} the second",
        ),
        (
            -9,
            "rejected with Short { by: 9 } the first time, rejected with Short { by: 8 } the second",
        ),
    ] {
        let text = failure(|| given::<Account>([]).when(Counted(AtomicI64::new(start))));
        assert!(text.contains(told) && text.contains("it must be pure"), "{text}");
    }
}

#[test]
fn snapshots_that_lose_something_are_told_by_their_place_and_field() {
    snapshots_agree::<Account>([opened(), deposited(3), withdrawn(1)]);
    snapshots_agree::<Account>([]);
    let text = failure(|| {
        snapshots_agree::<Forgetful>([opened(), deposited(3), deposited(1), withdrawn(2)]);
    });
    let expected = "a snapshot after 2 of 4 events leads to another state: .highest is 1 by way of \
                    the snapshot, 4 without\n";
    assert!(text.starts_with(expected), "{text}");
}

#[test]
fn snapshots_that_change_a_decision_are_told() {
    given::<Account>([opened(), deposited(3)])
        .with_snapshots()
        .when(Withdraw { cents: 1 })
        .emits([withdrawn(1)])
        .then_when(Withdraw { cents: 3 })
        .rejects(Refused::Short { by: 1 });
    let text =
        failure(|| given::<Forgetful>([deposited(3)]).with_snapshots().when(Withdraw { cents: 2 }));
    let expected = "a snapshot after 1 of 1 events changes the decision: accepted with \
                    Withdrawn {\"cents\":2} without it, rejected with Short { by: 2 } by way of it\n";
    assert!(text.starts_with(expected), "{text}");
}

#[test]
fn time_moves_as_the_test_says() {
    let noon = SystemTime::UNIX_EPOCH + Duration::from_secs(43_200);
    given::<Account>([])
        .at(noon)
        .when(Look)
        .replies(("test".into(), 0, noon))
        .later(Duration::from_secs(60))
        .then_when(Look)
        .replies(("test".into(), 0, noon + Duration::from_secs(60)))
        .at(noon)
        .then_when(Look)
        .replies(("test".into(), 0, noon));
    given::<Account>([])
        .later(Duration::from_secs(1))
        .when(Look)
        .replies_with(|(_, _, now)| *now == beginning() + Duration::from_secs(1));
}

#[test]
fn metadata_stays_and_a_command_id_is_for_one_command() {
    let metadata = Metadata::new().correlation("visit 7");
    let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
    given::<Account>([])
        .when(Ask)
        .replies((None, Metadata::new()))
        .metadata(metadata.clone())
        .command_id(one)
        .then_when(Ask)
        // As `execute` records it: the command is the cause.
        .replies((Some(one), metadata.clone().causation(one.to_string())))
        .then_when(Ask)
        .replies((None, metadata));
    let caused = Metadata::new().causation("event 5");
    given::<Account>([])
        .command_id(two)
        .metadata(caused.clone())
        .with_snapshots()
        .when(Ask)
        .replies((Some(two), caused));
}

#[test]
fn the_id_is_the_one_that_was_given() {
    given_id::<Account>("ada".into(), [opened()])
        .when(Look)
        .replies_with(|(id, version, _)| (id.as_str(), *version) == ("ada", 1));
    given_id::<Account>("ada".into(), [])
        .id("bob".into())
        .when(Look)
        .replies_with(|look| look.0 == "bob");
    given_id::<Depot>(North, []).when(Send(|| Parcel::Sent)).emits([Parcel::Sent]);
}

#[test]
fn an_id_that_is_missing_or_bad_says_what_to_do() {
    let text = failure(|| given::<Depot>([]).when(Send(|| Parcel::Sent)));
    assert!(text.contains("North: give one, as in `given::<…>(events).id(…)"), "{text}");
    let text = failure(|| given_id::<Account>(String::new(), []));
    assert!(text.starts_with("\"\" can't be an id: "), "{text}");
}

#[test]
fn a_long_history_is_cut_to_its_end() {
    let events = (0..50).map(deposited);
    let text = failure(|| given::<Account>(events).when(Withdraw { cents: 1 }).does_nothing());
    assert!(text.contains("at version 50, "), "{text}");
    assert!(text.contains("… 30 events before\n          31 Deposited {\"cents\":30}\n"), "{text}");
    assert!(!text.contains("\"cents\":29"), "{text}");
}
