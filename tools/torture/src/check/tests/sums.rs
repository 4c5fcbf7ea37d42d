//! G1: sums over everything.

use super::story::{MS, Story};
use crate::history::{Commit, Outcome};

#[test]
fn a_sum_of_everything_that_was_acknowledged_is_fine() {
    let mut story = Story::new();
    story.any(0, 100);
    story.transfer(0, 1, 5);
    story.sum();
    story.any(1, 7);
    story.sum();
    story.is_clean();
}

#[test]
fn a_sum_that_holds_half_a_transfer_is_found() {
    let mut story = Story::new();
    story.any(0, 100);
    let transfer = story.transfer(0, 1, 5);
    // It is made while the transfer is under way.
    let (begun, ended) = (story.history.appends[transfer].begun, story.last());
    let sum = story.sum();
    (sum.begun, sum.ended) = (begun + MS, begun + 2 * MS + ended);
    (sum.events, sum.cents) = (2, 95);
    story.finds_only("G1", "not made of whole appends");
    for (events, cents) in [(1, 100), (3, 100)] {
        (story.history.sums[0].events, story.history.sums[0].cents) = (events, cents);
        story.is_clean();
    }
}

#[test]
fn a_sum_that_holds_half_a_transaction_is_found() {
    let mut story = Story::new();
    let (first, second) = (story.any(0, 100), story.any(1, 30));
    story.transaction(&[first, second], Commit::Unknown);
    let sum = story.sum();
    (sum.events, sum.cents) = (1, 100);
    story.finds_only("G1", "not made of whole appends");
    (story.history.sums[0].events, story.history.sums[0].cents) = (0, 0);
    story.is_clean();
}

#[test]
fn a_sum_without_what_was_acknowledged_is_found() {
    let mut story = Story::new();
    story.any(0, 100);
    let sum = story.sum();
    (sum.events, sum.cents) = (0, 0);
    story.finds_only("G1", "not made of whole appends");
}

#[test]
fn a_sum_with_what_began_later_is_found() {
    let mut story = Story::new();
    story.sum();
    story.any(0, 100);
    (story.history.sums[0].events, story.history.sums[0].cents) = (1, 100);
    story.finds_only("G1", "not made of whole appends");
}

#[test]
fn an_unknown_append_may_come_into_a_sum_at_any_later_time() {
    let mut story = Story::new();
    let late = story.any(0, 100);
    story.history.appends[late].outcome = Outcome::Unknown;
    let sum = story.sum();
    (sum.events, sum.cents) = (0, 0);
    story.sum();
    story.is_clean();
    // Once it was delivered it is there.
    story.page(1, 0, 0);
    let sum = story.sum();
    (sum.events, sum.cents) = (0, 0);
    story.finds_only("G1", "not made of whole appends");
}
