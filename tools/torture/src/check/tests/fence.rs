//! G10: claims and checkpoints.

use super::story::Story;
use crate::history::CheckpointChange;

fn change(role: &str, epochs: (u64, u64), positions: (u64, u64)) -> CheckpointChange {
    CheckpointChange {
        projection: "balance".to_owned(),
        modulus: 4,
        remainder: 1,
        role: role.to_owned(),
        old_epoch: epochs.0,
        new_epoch: epochs.1,
        old_position: positions.0,
        new_position: positions.1,
    }
}

fn story(last: CheckpointChange) -> Story {
    let mut story = Story::new();
    story.truth.audit = vec![
        change("worker_1", (7, 8), (0, 0)),
        change("worker_1", (8, 8), (0, 10)),
        // Another class is another matter.
        CheckpointChange { remainder: 2, ..change("worker_2", (7, 8), (0, 0)) },
        CheckpointChange { remainder: 2, ..change("worker_2", (8, 8), (0, 30)) },
        change("worker_2", (8, 9), (10, 10)),
        last,
    ];
    story
}

#[test]
fn a_claimer_that_moves_its_checkpoint_is_fine() {
    story(change("worker_2", (9, 9), (10, 20))).is_clean();
}

#[test]
fn a_class_that_moved_before_the_first_recorded_claim_is_fine() {
    let mut story = Story::new();
    story.truth.audit = vec![change("worker_1", (8, 8), (50, 60))];
    story.is_clean();
}

#[test]
fn a_worker_that_lost_its_claim_and_moves_the_checkpoint_is_found() {
    story(change("worker_1", (9, 9), (10, 20))).finds_only(
        "G10",
        "worker_1 moved the checkpoint of balance 1/4, which worker_2 had claimed",
    );
}

#[test]
fn a_checkpoint_that_goes_back_is_found() {
    story(change("worker_2", (9, 9), (10, 5))).finds_only("G10", "balance 1/4 went back");
}

#[test]
fn an_epoch_that_goes_back_is_found() {
    story(change("worker_2", (9, 8), (10, 10))).finds_only("G10", "balance 1/4 went back");
}

#[test]
fn a_change_that_does_not_follow_the_last_one_is_found() {
    for change in [change("worker_2", (9, 9), (5, 20)), change("worker_2", (8, 9), (10, 20))] {
        story(change).finds_only("G10", "does not begin where the last one ended");
    }
}
