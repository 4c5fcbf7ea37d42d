//! G9 and G17: what the batch handler took in, and what it refused.

use super::story::Story;
use crate::history::{CheckpointChange, Effect, Poison, Stored};

fn story() -> Story {
    let mut story = Story::new();
    for (stream, cents) in [(0, 1), (1, 2), (0, 4), (3, 8)] {
        story.any(stream, cents);
    }
    let effect = |stored: &Stored| {
        let Stored { mark, stream, version, position, .. } = *stored;
        Effect { mark, stream, version, position }
    };
    let accounts = story.truth.events.iter().filter(|stored| stored.stream != 3);
    story.truth.effects = accounts.map(effect).collect();
    story
}

#[test]
fn every_event_once_in_the_order_of_its_stream_is_fine() {
    let mut story = story();
    story.is_clean();
    // Streams among themselves have no order.
    story.truth.effects.swap(0, 1);
    story.is_clean();
}

#[test]
fn a_handler_that_was_not_at_work_owes_nothing() {
    let mut story = story();
    story.truth.effects.clear();
    story.is_clean();
    story.truth.audit.push(CheckpointChange {
        projection: "scribe".to_owned(),
        modulus: 1,
        remainder: 0,
        role: "worker_1".to_owned(),
        old_epoch: 0,
        new_epoch: 1,
        old_position: 0,
        new_position: 0,
    });
    story.finds("G9", "the handler never took in mark 10");
}

#[test]
fn an_event_that_was_not_taken_in_is_found() {
    let mut story = story();
    story.truth.effects.remove(1);
    story.finds_only("G9", "the handler never took in mark 20");
}

#[test]
fn an_event_that_was_taken_in_twice_is_found() {
    let mut story = story();
    let twice = story.truth.effects[1];
    story.truth.effects.push(twice);
    story.finds_only("G9", "the handler took in mark 20 twice");
}

#[test]
fn an_event_that_was_taken_in_before_its_predecessor_is_found() {
    let mut story = story();
    story.truth.effects.swap(0, 2);
    story.finds_only("G9", "the handler took in version 1 of account-0 after 2");
}

#[test]
fn an_event_that_was_taken_in_and_is_not_stored_so_is_found() {
    let mut story = story();
    story.truth.effects[1].position += 1;
    story.finds_only("G9", "the handler took in mark 20, which is not stored so");
    let mut story = self::story();
    let stranger = Effect { mark: 99, stream: 2, version: 1, position: 99 };
    story.truth.effects.push(stranger);
    story.finds_only("G9", "the handler took in mark 99, which is not stored so");
}

fn poison(stopped_at: Option<u64>, others_moved: bool) -> Story {
    let mut story = story();
    let projection = "scribe".to_owned();
    story.history.poisons.push(Poison {
        projection,
        mark: 20,
        stream: 1,
        stopped_at,
        others_moved,
    });
    story
}

#[test]
fn a_class_that_stopped_at_its_poison_is_fine() {
    let mut story = poison(Some(20), true);
    story.is_clean();
    // One that was never stored stops nobody.
    (story.history.poisons[0].mark, story.history.poisons[0].stopped_at) = (99, None);
    story.is_clean();
}

#[test]
fn a_class_that_stopped_elsewhere_or_not_at_all_is_found() {
    poison(Some(10), true).finds_only("G17", "scribe stopped at 10");
    poison(None, true).finds_only("G17", "scribe stopped nowhere");
}

#[test]
fn a_poison_that_stopped_the_others_is_found() {
    poison(Some(20), false).finds_only("G17", "all of scribe stopped");
}
