//! G4 and G1 for those who load.

use super::story::{MS, Story};
use crate::history::{Commit, Expect, LoadKind, Outcome};

const KINDS: [LoadKind; 4] =
    [LoadKind::State, LoadKind::Fresh, LoadKind::AtLeast(20), LoadKind::AsItIs];

#[test]
fn loads_of_what_was_acknowledged_are_fine() {
    let mut story = Story::new();
    story.any(0, 3);
    story.append(0, Expect::Any, &[4, 5]);
    for kind in KINDS {
        story.load(kind, 0);
        story.load(LoadKind::State, 1);
    }
    story.is_clean();
}

#[test]
fn a_load_without_what_was_acknowledged_is_found() {
    for kind in KINDS {
        let mut story = Story::new();
        story.any(0, 3);
        story.any(0, 4);
        let load = story.load(kind, 0);
        (load.version, load.cents) = (1, 3);
        match kind {
            LoadKind::AsItIs => story.is_clean(),
            _ => story.finds_only("G4", "account-0 was loaded at version 1, and was at 2 before"),
        }
    }
}

#[test]
fn a_view_s_row_may_be_as_old_as_its_token_and_no_older() {
    let mut story = Story::new();
    story.any(0, 3);
    story.any(0, 4);
    story.any(0, 5);
    let load = story.load(LoadKind::AtLeast(20), 0);
    (load.version, load.cents) = (2, 7);
    story.is_clean();
    (story.history.loads[0].version, story.history.loads[0].cents) = (1, 3);
    story.finds_only("G4", "loaded at version 1, and was at 2 before");
}

#[test]
fn a_load_of_what_began_later_is_found() {
    for kind in KINDS {
        let mut story = Story::new();
        story.any(0, 3);
        story.any(1, 1);
        story.load(kind, 0);
        story.any(0, 4);
        (story.history.loads[0].version, story.history.loads[0].cents) = (2, 7);
        story.finds_only("G4", "no more than 1 events can have been there");
    }
}

#[test]
fn a_load_of_what_was_never_stored_is_found() {
    let mut story = Story::new();
    let load = story.load(LoadKind::AsItIs, 0);
    (load.version, load.cents) = (1, 3);
    story.finds_only("G4", "no more than 0 events can have been there");
}

#[test]
fn a_load_whose_cents_are_not_the_fold_of_its_version_is_found() {
    for kind in KINDS {
        let mut story = Story::new();
        story.any(0, 3);
        story.any(0, 4);
        story.load(kind, 0).cents = 3;
        story.finds_only("G4", "account-0 was loaded with 3 cents: version 2 folds to 7");
    }
}

#[test]
fn a_load_in_the_middle_of_an_append_is_found() {
    for kind in [LoadKind::State, LoadKind::Fresh] {
        let mut story = Story::new();
        let append = story.append(0, Expect::Any, &[3, 4]);
        story.history.appends[append].outcome = Outcome::Unknown;
        let load = story.load(kind, 0);
        (load.version, load.cents) = (1, 3);
        story.finds_only("G1", "in the middle of an append");
    }
}

#[test]
fn a_load_in_the_middle_of_a_transaction_is_found() {
    let mut story = Story::new();
    let (first, second) = (story.any(0, 3), story.any(0, 4));
    story.transaction(&[first, second], Commit::Unknown);
    let load = story.load(LoadKind::State, 0);
    (load.version, load.cents) = (1, 3);
    story.finds_only("G1", "in the middle of an append");
}

#[test]
fn a_state_that_goes_back_is_found() {
    let mut story = Story::new();
    let append = story.any(0, 3);
    story.history.appends[append].outcome = Outcome::Unknown;
    story.load(LoadKind::State, 0);
    let load = story.load(LoadKind::Fresh, 0);
    (load.version, load.cents) = (0, 0);
    story.finds_only("G4", "account-0 was loaded at version 1, and later at 0");
    // Not, if the two overlap.
    story.history.loads[0].ended += 10 * MS;
    story.is_clean();
}

#[test]
fn an_unknown_append_may_take_effect_long_after_it_ended() {
    let mut story = Story::new();
    let append = story.any(0, 3);
    story.history.appends[append].outcome = Outcome::Unknown;
    let load = story.load(LoadKind::State, 0);
    (load.version, load.cents) = (0, 0);
    story.load(LoadKind::State, 0);
    story.is_clean();
}

#[test]
fn an_append_in_a_transaction_is_to_be_seen_when_that_has_ended() {
    let mut story = Story::new();
    let append = story.any(0, 3);
    story.transaction(&[append], Commit::Done);
    let load = story.load(LoadKind::State, 0);
    (load.version, load.cents) = (0, 0);
    story.finds_only("G4", "loaded at version 0, and was at 1 before");
    story.history.transactions[0].ended += 20 * MS;
    story.is_clean();
}

#[test]
fn what_a_reader_was_given_has_to_be_loaded_too() {
    let mut story = Story::new();
    let append = story.any(0, 3);
    story.history.appends[append].outcome = Outcome::Unknown;
    story.page(1, 0, 0);
    let load = story.load(LoadKind::State, 0);
    (load.version, load.cents) = (0, 0);
    story.finds_only("G4", "loaded at version 0, and was at 1 before");
}
