//! G4: versions, expectations and conflicts.

use super::story::Story;
use crate::history::{Commit, Expect, Outcome};

#[test]
fn streams_with_every_kind_of_expectation_are_fine() {
    let mut story = Story::new();
    story.append(0, Expect::NoStream, &[1]);
    story.append(0, Expect::Exact(1), &[1, 2]);
    story.append(0, Expect::Exists, &[1]);
    story.append(1, Expect::Exact(0), &[1]);
    story.append(1, Expect::Any, &[1]);
    story.is_clean();
}

#[test]
fn a_gap_in_the_versions_is_found() {
    let mut story = Story::new();
    let (first, second) = (story.any(0, 1), story.any(0, 1));
    for place in [first, second] {
        story.history.appends[place].outcome = Outcome::Unknown;
    }
    story.truth.events.remove(0);
    story.finds_only("G4", "the versions of account-0 are not dense: 1 is not there once");
}

#[test]
fn a_version_that_is_there_twice_is_found() {
    let mut story = Story::new();
    let (first, second) = (story.any(0, 1), story.any(0, 1));
    for place in [first, second] {
        story.history.appends[place].outcome = Outcome::Unknown;
    }
    story.truth.events[1].version = 1;
    story.finds_only("G4", "the versions of account-0 are not dense: 2 is not there once");
}

#[test]
fn versions_against_real_time_are_found() {
    let mut story = Story::new();
    let (first, second) = (story.any(0, 1), story.any(0, 1));
    let (a, b) = (&story.history.appends[first], &story.history.appends[second]);
    let ((a, b), times) = ((a.outcome.clone(), b.outcome.clone()), [first, second]);
    story.truth.events[0].mark = 20;
    story.truth.events[1].mark = 10;
    (story.history.appends[first].outcome, story.history.appends[second].outcome) = (b, a);
    story.finds("G4", "version 2 was there before the append of version 1 began");
    // Fine, if they overlap.
    let ended = story.history.appends[second].ended;
    story.history.appends[times[0]].ended = ended;
    story.is_clean();
}

#[test]
fn an_unmet_expectation_that_was_done_is_found() {
    for expected in [Expect::Exact(0), Expect::Exact(2), Expect::NoStream] {
        let mut story = Story::new();
        story.any(0, 1);
        story.append(0, expected, &[1]);
        story.finds_only("G4", "stands at version 2 of account-0");
    }
    let mut story = Story::new();
    story.append(0, Expect::Exists, &[1]);
    story.finds_only("G4", "an append that expected Exists stands at version 1");
}

#[test]
fn an_unmet_expectation_of_an_unknown_append_is_found() {
    let mut story = Story::new();
    story.any(0, 1);
    let append = story.append(0, Expect::NoStream, &[1]);
    story.history.appends[append].outcome = Outcome::Unknown;
    story.finds_only("G4", "an append that expected NoStream stands at version 2");
}

#[test]
fn events_of_one_append_that_stand_apart_or_elsewhere_are_found() {
    let mut story = Story::new();
    let append = story.append(0, Expect::Any, &[1, 2]);
    story.history.appends[append].outcome = Outcome::Unknown;
    (story.truth.events[0].mark, story.truth.events[1].mark) = (11, 10);
    story.finds_only("G4", "mark 11 does not stand where its append put it");

    let mut story = Story::new();
    let append = story.any(0, 1);
    story.history.appends[append].outcome = Outcome::Unknown;
    story.truth.events[0].stream = 1;
    story.finds_only("G4", "mark 10 does not stand where its append put it");
}

fn conflict(actual: u64) -> Outcome {
    Outcome::Conflict { stream: 0, actual }
}

#[test]
fn a_conflict_with_a_version_that_was_there_is_fine() {
    let mut story = Story::new();
    story.refused(0, Expect::Exists, conflict(0));
    story.any(0, 1);
    story.refused(0, Expect::NoStream, conflict(1));
    story.refused(0, Expect::Exact(5), conflict(1));
    let late = story.any(0, 1);
    story.history.appends[late].outcome = Outcome::Unknown;
    story.refused(0, Expect::Exact(5), conflict(1));
    story.refused(0, Expect::Exact(5), conflict(2));
    story.is_clean();
}

#[test]
fn a_conflict_with_what_was_expected_is_found() {
    let untrue =
        [(Expect::Any, 1), (Expect::Exists, 1), (Expect::NoStream, 0), (Expect::Exact(1), 1)];
    for (expected, actual) in untrue {
        let mut story = Story::new();
        story.any(0, 1);
        story.refused(0, expected, conflict(actual));
        story.finds_only("G4", "which was expected");
    }
}

#[test]
fn a_conflict_with_a_stream_that_is_not_of_the_append_is_found() {
    let mut story = Story::new();
    story.refused(1, Expect::Exact(1), conflict(0));
    story.finds_only("G4", "which was expected");
}

#[test]
fn a_conflict_with_a_version_of_the_past_or_the_future_is_found() {
    let mut story = Story::new();
    story.any(0, 1);
    story.any(0, 1);
    story.refused(0, Expect::Exact(7), conflict(1));
    story.any(0, 1);
    story.finds_only("G4", "account-0 was between versions 2 and 2");
    story.history.appends[2].outcome = conflict(3);
    story.finds_only("G4", "account-0 was between versions 2 and 2");
    story.history.appends[2].outcome = conflict(2);
    story.is_clean();
}

#[test]
fn a_conflict_with_what_its_own_transaction_appended_is_fine() {
    let mut story = Story::new();
    let own = story.any(0, 1);
    let refused = story.refused(0, Expect::NoStream, conflict(1));
    story.transaction(&[own, refused], Commit::RolledBack);
    story.lose(1);
    story.is_clean();
    story.history.appends[refused].outcome = conflict(2);
    story.finds_only("G4", "account-0 was between versions 0 and 1");
}

#[test]
fn a_transaction_may_see_no_more_than_when_it_began() {
    let mut story = Story::new();
    let first = story.any(1, 1);
    story.any(0, 1);
    let refused = story.refused(0, Expect::Exists, conflict(0));
    story.transaction(&[first, refused], Commit::Done);
    story.is_clean();
}
