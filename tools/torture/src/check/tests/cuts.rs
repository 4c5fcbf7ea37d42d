//! G4 for who reads streams that were truncated or tombstoned.

use super::story::Story;
use crate::history::{Act, Answer, Expect, Found};

fn cut(before: u64) -> Act {
    Act::Truncate { before, summary: false }
}

/// Three events, and a cut before the second.
fn story() -> Story {
    let mut story = Story::new();
    story.append(0, Expect::Any, &[1, 2, 3]);
    story.mark(0, cut(2));
    story
}

#[test]
fn reads_of_truncated_streams_are_fine() {
    let mut story = Story::new();
    story.read(0);
    story.append(0, Expect::Any, &[1, 2, 3]);
    story.read(0);
    story.mark(0, cut(2));
    story.read(0);
    story.mark(0, Act::Truncate { before: 3, summary: true });
    story.mark_idle(0, cut(2));
    story.read(0);
    story.any(0, 4);
    story.read(0);
    let by = story.mark(0, Act::Tombstone);
    story.read(0).found = Found::Tombstoned { by };
    story.is_clean();
}

#[test]
fn a_read_that_begins_before_the_cut_or_beyond_it_is_found() {
    for wrong in [1, 3] {
        let mut story = story();
        let read = story.read(0);
        let Found::Events { first, events, .. } = &mut read.found else { panic!() };
        *first = wrong;
        let marks = (wrong..4).map(|version| (version, 9 + version));
        *events = marks.collect();
        story.finds_only("G4", "where no mark had cut it");
    }
}

#[test]
fn a_read_during_a_cut_begins_before_it_or_with_it() {
    let mut story = Story::new();
    story.append(0, Expect::Any, &[1, 2, 3]);
    story.read(0);
    story.mark(0, cut(2));
    story.read(0);
    story.is_clean();
    // Before the mark, unless it was under way.
    story.history.reads.swap(0, 1);
    let (one, two) = story.history.reads.split_at_mut(1);
    std::mem::swap(&mut one[0].begun, &mut two[0].begun);
    std::mem::swap(&mut one[0].ended, &mut two[0].ended);
    story.finds("G4", "was read from version 2, where no mark had cut it");
    story.finds("G4", "was read from version 1, where no mark had cut it");
    story.history.markings[0].begun = 0;
    story.history.markings[0].answer = Answer::Unknown;
    story.is_clean();
}

#[test]
fn a_summary_that_nobody_declared_is_found() {
    let mut story = story();
    let Found::Events { summary, .. } = &mut story.read(0).found else { panic!() };
    *summary = true;
    story.finds_only("G4", "where no mark had cut it");
}

#[test]
fn a_read_that_lacks_an_event_or_has_a_wrong_one_is_found() {
    type Change = fn(&mut Vec<(u64, u64)>);
    let changes: [(Change, &str); 4] = [
        (|events| events.truncate(1), "without version 3"),
        (|events| events.drain(..1).for_each(|_| ()), "version 3, which has no place there"),
        (|events| events[0].1 = 99, "version 2, which has no place there"),
        (|events| events.insert(0, (1, 10)), "version 1, which has no place there"),
    ];
    for (change, says) in changes {
        let mut story = story();
        let Found::Events { events, .. } = &mut story.read(0).found else { panic!() };
        change(events);
        story.finds_only("G4", says);
    }
}

#[test]
fn a_read_that_is_older_than_what_was_acknowledged_is_found() {
    let mut story = story();
    let Found::Events { version, events, .. } = &mut story.read(0).found else { panic!() };
    *version = 2;
    events.pop();
    story.finds_only("G4", "was read at version 2, and was between 3 and 3");
}

#[test]
fn a_tombstoned_stream_that_is_read_is_found() {
    let mut story = story();
    story.mark(0, Act::Tombstone);
    story.read(0);
    story.finds_only("G4", "had closed it for ever");
}

#[test]
fn a_read_that_is_refused_by_no_tombstone_is_found() {
    let mut story = story();
    let by = story.mark(0, Act::Archive);
    story.read(0).found = Found::Tombstoned { by };
    story.finds_only("G4", "which was not in force");
}
