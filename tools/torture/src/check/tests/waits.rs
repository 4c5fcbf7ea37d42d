//! G8 for writers, and G19.

use super::story::Story;
use crate::history::{Fault, Hold, Moment, Neighbour, Tamper};

const SECOND: Moment = 1_000_000_000;

/// A stream is held from the tenth second to the fourteenth.
fn held(begun: Moment, took: Moment, acknowledged: bool) -> Story {
    let mut story = Story::new();
    let neighbour = Neighbour { stream: 1, begun, ended: begun + took, acknowledged };
    story.history.holds.push(Hold {
        stream: 0,
        opened: 10 * SECOND,
        closed: 14 * SECOND,
        neighbours: vec![neighbour],
    });
    story
}

#[test]
fn an_append_beside_a_held_stream_is_answered_soon() {
    held(11 * SECOND, SECOND, true).is_clean();
    let says = "an append to account-1 waited for who held account-0";
    held(11 * SECOND, 3 * SECOND, true).finds_only("G8", says);
    held(11 * SECOND, SECOND, false).finds_only("G8", says);
}

#[test]
fn what_begins_shortly_before_the_end_is_not_judged() {
    held(12 * SECOND, 8 * SECOND, true).is_clean();
    held(9 * SECOND, 8 * SECOND, true).is_clean();
}

#[test]
fn a_fault_excuses_a_wait_but_one_of_the_workers() {
    for (kind, begun, ended, excuses) in [
        ("kill-server", 12, 13, true),
        ("kill-server", 5, 9, true),
        ("kill-server", 5, 7, false),
        ("kill-server", 15, 16, false),
        ("kill-worker", 12, 13, false),
    ] {
        let mut story = held(11 * SECOND, 3 * SECOND, true);
        let (begun, ended) = (begun * SECOND, ended * SECOND);
        story.history.faults.push(Fault { kind, begun, ended, detail: String::new() });
        match excuses {
            true => story.is_clean(),
            false => story.finds_only("G8", "waited for who held"),
        }
    }
}

#[test]
fn a_change_that_goes_through_is_found() {
    let mut story = Story::new();
    let (begun, ended) = story.tick();
    let (role, statement) = ("torture_writer".to_owned(), "delete".to_owned());
    story.history.tampers.push(Tamper { role, statement, begun, ended, done: false });
    story.is_clean();
    story.history.tampers[0].done = true;
    story.finds_only("G19", "torture_writer could change what is stored");
}
