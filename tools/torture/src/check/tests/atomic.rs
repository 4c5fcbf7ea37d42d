//! G1: together or not at all.

use super::story::Story;
use crate::history::{Commit, Expect, Outcome};

#[test]
fn an_append_that_is_stored_whole_is_fine() {
    let mut story = Story::new();
    story.transfer(0, 1, 5);
    story.is_clean();
}

#[test]
fn an_append_of_which_one_stream_is_missing_is_found() {
    let mut story = Story::new();
    let lost = story.transfer(0, 1, 5);
    story.history.appends[lost].outcome = Outcome::Unknown;
    story.lose(1);
    story.finds_only("G1", "stored in part: without marks [11]");
}

#[test]
fn an_append_of_which_one_event_is_missing_is_found() {
    let mut story = Story::new();
    let lost = story.append(0, Expect::Any, &[1, 2, 3]);
    story.history.appends[lost].outcome = Outcome::Unknown;
    story.lose(1);
    story.finds_only("G1", "stored in part: without marks [12]");
}

#[test]
fn a_transaction_of_which_one_append_is_missing_is_found() {
    for commit in [Commit::Done, Commit::Unknown] {
        let mut story = Story::new();
        let (first, second) = (story.any(0, 1), story.any(1, 2));
        story.transaction(&[first, second], commit);
        story.is_clean();
        story.lose(1);
        story.finds("G1", "transaction 900 is stored in part");
    }
}

#[test]
fn a_transaction_of_unknown_end_may_leave_nothing() {
    let mut story = Story::new();
    let (first, second) = (story.any(0, 1), story.any(1, 2));
    story.transaction(&[first, second], Commit::Unknown);
    story.lose(2);
    story.is_clean();
}

#[test]
fn a_transaction_whose_record_is_missing_is_one_of_unknown_end() {
    let mut story = Story::new();
    let (first, second) = (story.any(0, 1), story.any(1, 2));
    story.transaction(&[first, second], Commit::Done);
    story.history.transactions.clear();
    story.is_clean();
    story.lose(1);
    story.finds_only("G1", "transaction 900 is stored in part");
}

#[test]
fn an_append_that_was_repeated_outside_of_its_transaction_proves_nothing() {
    let mut story = Story::new();
    let (first, second) = (story.any(1, 2), story.any(0, 1));
    story.transaction(&[first, second], Commit::Unknown);
    // Nothing of the transaction was done, and one append of it was repeated by itself.
    story.truth.events.remove(0);
    let done = Outcome::Done { repeated: false, versions: vec![1], positions: vec![20] };
    let repeat = story.again(second, done);
    story.history.appends[repeat].transaction = None;
    story.is_clean();
}

#[test]
fn what_was_rolled_back_or_undone_and_is_stored_is_found() {
    let mut story = Story::new();
    let (first, second) = (story.any(0, 1), story.any(1, 2));
    story.transaction(&[first, second], Commit::RolledBack);
    story.finds("G1", "mark 10 is stored, though the append was rolled back or undone");
    story.finds("G1", "mark 20 is stored, though the append was rolled back or undone");

    let mut story = Story::new();
    let (first, second) = (story.any(0, 1), story.any(1, 2));
    story.transaction(&[first, second], Commit::Done);
    story.history.appends[second].undone = true;
    story.finds_only("G1", "mark 20 is stored, though the append was rolled back or undone");
    story.lose(1);
    story.is_clean();
}
