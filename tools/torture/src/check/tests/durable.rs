//! G2: acknowledged means stored.

use super::story::Story;
use crate::history::{Commit, Expect, Outcome};

#[test]
fn an_acknowledged_event_that_is_stored_is_fine() {
    let mut story = Story::new();
    story.append(0, Expect::Any, &[1, 2]);
    let inside = story.any(1, 1);
    story.transaction(&[inside], Commit::Done);
    story.is_clean();
}

#[test]
fn an_acknowledged_event_that_is_missing_is_found() {
    let mut story = Story::new();
    story.any(0, 1);
    story.any(0, 2);
    story.lose(1);
    story.finds_only("G2", "acknowledged, and not stored: marks [20]");
}

#[test]
fn an_event_of_a_committed_transaction_that_is_missing_is_found() {
    let mut story = Story::new();
    let inside = story.any(0, 1);
    story.transaction(&[inside], Commit::Done);
    story.lose(1);
    story.finds_only("G2", "acknowledged, and not stored: marks [10]");
}

#[test]
fn what_was_never_acknowledged_may_be_missing() {
    let mut story = Story::new();
    let unknown = story.any(0, 1);
    story.history.appends[unknown].outcome = Outcome::Unknown;
    let inside = story.any(1, 1);
    story.transaction(&[inside], Commit::Unknown);
    story.lose(2);
    story.refused(0, Expect::Any, Outcome::Failed);
    story.is_clean();
}

#[test]
fn an_event_that_is_stored_elsewhere_than_acknowledged_is_found() {
    for answer in [(2, 10), (1, 20)] {
        let mut story = Story::new();
        let append = story.any(0, 1);
        let (versions, positions) = (vec![answer.0], vec![answer.1]);
        story.history.appends[append].outcome =
            Outcome::Done { repeated: false, versions, positions };
        story.finds_only("G2", "append 1 is not stored as acknowledged");
    }
}

#[test]
fn an_answer_that_leaves_out_a_stream_is_found() {
    let mut story = Story::new();
    let append = story.transfer(0, 1, 5);
    story.history.appends[append].outcome =
        Outcome::Done { repeated: false, versions: vec![1], positions: vec![10] };
    story.finds_only("G2", "append 1 is not stored as acknowledged");
}
