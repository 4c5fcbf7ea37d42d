//! G2 and G3 for marks.

use super::story::Story;
use crate::history::{Act, Answer};

fn story() -> Story {
    let mut story = Story::new();
    story.any(0, 1);
    story.mark(0, Act::Archive);
    story.mark(0, Act::Unarchive);
    story
}

#[test]
fn an_acknowledged_mark_that_is_lost_is_found() {
    let mut story = story();
    story.truth.marks.pop();
    story.truth.standings = vec![story.standing(0)];
    story.finds_only("G2", "mark 702 was acknowledged and is not stored");
    story.history.markings[1].answer = Answer::Unknown;
    story.is_clean();
}

#[test]
fn a_mark_that_nobody_asked_for_or_that_was_refused_is_found() {
    let mut story = story();
    story.history.markings[1].answer = Answer::Refused;
    story.finds_only("G2", "mark 702 is stored more often than it was made");
    story.history.markings.pop();
    story.finds_only("G2", "mark 702 is stored and was asked for by nobody");
}

#[test]
fn a_mark_on_another_stream_is_found() {
    let mut story = story();
    story.any(1, 1);
    story.mark(1, Act::Archive);
    story.history.markings[2].stream = 2;
    story.finds_only("G2", "asked for by nobody");
}

#[test]
fn marks_against_real_time_are_found() {
    let mut story = story();
    for stored in &mut story.truth.marks {
        stored.order = 3 - stored.order;
    }
    story.truth.standings = vec![story.standing(0)];
    story.finds_only("G4", "does not stand in the order of time");
}

#[test]
fn a_row_that_does_not_stand_as_its_marks_say_is_found() {
    let mut story = story();
    story.truth.standings.push(crate::history::Standing { archived: true, ..story.standing(0) });
    story.finds_only("G4", "account-0 does not stand as its marks say");
    let mut story = Story::new();
    story.any(0, 1);
    story.mark(0, Act::Truncate { before: 1, summary: true });
    story.truth.standings.clear();
    story.finds_only("G4", "account-0 does not stand as its marks say");
}
