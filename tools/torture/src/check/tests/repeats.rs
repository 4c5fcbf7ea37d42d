//! G3: once or not at all, and a repetition says so.

use super::story::{MS, Story};
use crate::history::{Commit, Expect, Outcome};

fn done(repeated: bool, version: u64, position: u64) -> Outcome {
    Outcome::Done { repeated, versions: vec![version], positions: vec![position] }
}

#[test]
fn an_unknown_append_that_is_repeated_until_it_is_done_is_fine() {
    let mut story = Story::new();
    let append = story.any(0, 1);
    story.history.appends[append].outcome = Outcome::Unknown;
    story.again(append, Outcome::Failed);
    story.again(append, Outcome::Unknown);
    story.again(append, done(true, 1, 10));
    story.again(append, done(true, 1, 10));
    story.is_clean();
}

#[test]
fn a_mark_that_is_stored_twice_is_found() {
    let mut story = Story::new();
    let append = story.any(0, 1);
    story.history.appends[append].outcome = Outcome::Unknown;
    story.store(0, 10, 1);
    story.finds_only("G3", "mark 10 is stored twice");
}

#[test]
fn an_unknown_append_may_be_there_or_not() {
    let mut story = Story::new();
    let append = story.any(0, 1);
    story.history.appends[append].outcome = Outcome::Unknown;
    story.is_clean();
    story.lose(1);
    story.is_clean();
}

#[test]
fn a_repetition_that_is_answered_as_new_is_found() {
    let mut story = Story::new();
    let append = story.any(0, 1);
    story.again(append, done(false, 1, 10));
    story.finds_only("G3", "append 1 was answered twice as if it were new");

    // Also where its own transaction is rolled back afterwards.
    let inside = story.history.appends.len() - 1;
    story.transaction(&[inside], Commit::RolledBack);
    story.finds_only("G3", "append 1 was answered twice as if it were new");
}

#[test]
fn a_repetition_that_is_answered_otherwise_is_found() {
    let mut story = Story::new();
    let append = story.any(0, 1);
    story.again(append, done(true, 2, 10));
    story.finds_only("G3", "append 1 is not stored as acknowledged");
}

#[test]
fn a_conflict_after_the_acknowledgement_is_found() {
    let mut story = Story::new();
    let append = story.append(0, Expect::NoStream, &[1]);
    story.again(append, Outcome::Conflict { stream: 0, actual: 1 });
    story.finds_only("G3", "append 1 was refused though it had been made");
}

#[test]
fn a_conflict_with_the_request_s_own_events_is_found() {
    let mut story = Story::new();
    let append = story.append(0, Expect::NoStream, &[1]);
    story.history.appends[append].outcome = Outcome::Unknown;
    story.again(append, Outcome::Conflict { stream: 0, actual: 1 });
    story.finds_only("G3", "append 1 was refused though it had been made");
}

#[test]
fn a_conflict_before_an_unknown_append_took_effect_is_fine() {
    let mut story = Story::new();
    story.any(0, 1);
    let append = story.append(0, Expect::Exact(1), &[1]);
    story.history.appends[append].outcome = Outcome::Unknown;
    // Nobody had come so far yet: the first attempt was still on its way.
    story.history.appends[0].outcome = Outcome::Unknown;
    story.again(append, Outcome::Conflict { stream: 0, actual: 0 });
    story.is_clean();
}

#[test]
fn what_was_refused_and_is_stored_is_found() {
    let failed = [Outcome::Failed, Outcome::Conflict { stream: 0, actual: 0 }];
    for outcome in failed {
        let mut story = Story::new();
        let append = story.append(0, Expect::Any, &[1]);
        story.history.appends[append].outcome = outcome;
        story.history.appends[append].ended += MS;
        story.finds("G3", "mark 10 is stored, though the append was refused");
    }
}

#[test]
fn what_failed_once_and_was_repeated_may_be_stored() {
    let mut story = Story::new();
    let append = story.any(0, 1);
    let done = std::mem::replace(&mut story.history.appends[append].outcome, Outcome::Failed);
    story.again(append, done);
    story.is_clean();
}
