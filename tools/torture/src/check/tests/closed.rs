//! G4 for streams that are archived and tombstoned.

use super::story::{MS, Story};
use crate::history::{Act, Answer, Expect, LoadKind, Outcome};

fn closed(by: u64) -> Outcome {
    Outcome::Closed { by, forever: false }
}

#[test]
fn a_stream_that_is_closed_and_opened_is_fine() {
    let mut story = Story::new();
    story.any(0, 1);
    let archive = story.mark(0, Act::Archive);
    story.refused(0, Expect::Any, closed(archive));
    story.load(LoadKind::State, 0);
    story.mark_idle(0, Act::Archive);
    story.mark(0, Act::Unarchive);
    story.any(0, 2);
    story.mark_idle(0, Act::Unarchive);
    let tombstone = story.mark(0, Act::Tombstone);
    story.refused(0, Expect::Any, Outcome::Closed { by: tombstone, forever: true });
    story.mark_idle(0, Act::Tombstone);
    story.is_clean();
}

#[test]
fn an_append_to_a_closed_stream_is_found() {
    for act in [Act::Archive, Act::Tombstone] {
        let mut story = Story::new();
        story.any(0, 1);
        let mark = story.mark(0, act);
        let append = story.any(0, 2);
        let says = format!("account-0 was appended to after mark {mark} had closed it");
        story.finds_only("G4", &says);
        // Fine, if the two overlap.
        story.history.appends[append].begun -= 5 * MS;
        story.is_clean();
    }
}

#[test]
fn an_unknown_append_that_is_stored_in_a_tombstoned_stream_is_found() {
    let mut story = Story::new();
    story.any(0, 1);
    story.mark(0, Act::Tombstone);
    let append = story.any(0, 2);
    story.history.appends[append].outcome = Outcome::Unknown;
    story.finds_only("G4", "had closed it");
}

#[test]
fn an_append_before_an_opening_is_found_and_beside_it_is_fine() {
    let mut story = Story::new();
    story.any(0, 1);
    story.mark(0, Act::Archive);
    let append = story.any(0, 2);
    story.mark(0, Act::Unarchive);
    story.finds_only("G4", "had closed it");
    story.history.appends[append].ended += 10 * MS;
    story.is_clean();
}

#[test]
fn an_append_after_a_mark_of_which_nobody_knows_when_it_was_made_is_fine() {
    let mut story = Story::new();
    story.any(0, 1);
    story.mark(0, Act::Archive);
    story.history.markings[0].answer = Answer::Unknown;
    story.any(0, 2);
    story.is_clean();
}

#[test]
fn a_refusal_by_a_mark_that_was_not_in_force_is_found() {
    let says = "which was not in force";
    // Of another stream, of another kind, before it, after its end, of none.
    let mut story = Story::new();
    story.any(0, 1);
    story.any(1, 1);
    let refused = story.refused(0, Expect::Any, closed(0));
    let archive = story.mark(0, Act::Archive);
    story.finds_only("G4", says);
    story.history.appends[refused].outcome = closed(archive);
    story.finds_only("G4", says);
    story.history.appends[refused].ended += 10 * MS;
    story.is_clean();
    let forever = Outcome::Closed { by: archive, forever: true };
    story.history.appends[refused].outcome = forever;
    story.finds_only("G4", says);
    story.history.appends[refused].outcome = closed(archive);
    story.history.appends[refused].parts[0].stream = 1;
    story.finds_only("G4", says);
}

#[test]
fn a_refusal_after_the_opening_is_found() {
    let mut story = Story::new();
    story.any(0, 1);
    let archive = story.mark(0, Act::Archive);
    story.mark(0, Act::Unarchive);
    story.refused(0, Expect::Any, closed(archive));
    story.finds_only("G4", "which was not in force");
    // Not, if nobody knows when it was opened.
    story.history.markings[1].answer = Answer::Unknown;
    story.is_clean();
}

#[test]
fn a_repeat_that_is_refused_since_its_stream_was_closed_is_found() {
    let mut story = Story::new();
    let append = story.any(0, 1);
    let archive = story.mark(0, Act::Archive);
    story.again(append, closed(archive));
    story.finds_only("G3", "was refused though it had been made");
}

#[test]
fn an_append_that_was_refused_as_closed_and_is_stored_is_found() {
    let mut story = Story::new();
    let archive = story.mark(0, Act::Archive);
    let append = story.any(0, 1);
    story.history.appends[append].outcome = closed(archive);
    story.finds("G3", "is stored, though the append was refused");
}

#[test]
fn a_mark_that_says_wrongly_that_it_changed_nothing_is_found() {
    let cut = Act::Truncate { before: 2, summary: false };
    for act in [Act::Archive, Act::Tombstone, cut] {
        let mut story = Story::new();
        story.append(0, Expect::Any, &[1, 2, 3]);
        story.mark_idle(0, act);
        story.finds_only("G4", "which it did not");
    }
    let mut story = Story::new();
    story.any(0, 1);
    story.mark(0, Act::Archive);
    story.mark_idle(0, Act::Unarchive);
    story.finds_only("G4", "which it did not");
}
