//! G4 for states of aggregates.

use super::story::Story;
use crate::history::{Act, Expect, Folded, StateRead};

fn state(story: &mut Story, found: Folded) {
    let (begun, ended) = story.tick();
    story.history.states.push(StateRead { stream: 0, begun, ended, found });
}

/// Three events, and a cut before the third.
fn story(summary: bool) -> (Story, u64) {
    let mut story = Story::new();
    story.append(0, Expect::Any, &[1, 2, 4]);
    let number = story.mark(0, Act::Truncate { before: 3, summary });
    (story, number)
}

const WHOLE: Folded = Folded::State { version: 3, events: 3, cents: 7 };
const REST: Folded = Folded::State { version: 3, events: 1, cents: 4 };

#[test]
fn a_state_of_all_events_or_from_a_summary_on_is_fine() {
    for found in [WHOLE, REST] {
        let (mut story, _) = story(true);
        state(&mut story, found);
        story.is_clean();
    }
    let (mut story, by) = story(false);
    state(&mut story, WHOLE);
    state(&mut story, Folded::Truncated { by });
    story.is_clean();
}

#[test]
fn a_state_of_a_rest_is_found() {
    let (mut story, _) = story(false);
    state(&mut story, REST);
    story.finds_only("G4", "lacks 2 events, and no summary stands for them");
}

#[test]
fn a_state_that_is_old_or_early_is_found() {
    let (mut story, _) = story(false);
    state(&mut story, Folded::State { version: 2, events: 2, cents: 3 });
    story.finds_only("G4", "is of version 2, not of 3 to 3");
    story.history.states[0].begun = 0;
    story.is_clean();
}

#[test]
fn a_state_with_wrong_cents_or_events_is_found() {
    for (events, cents) in [(3, 8), (4, 7)] {
        let (mut story, _) = story(false);
        state(&mut story, Folded::State { version: 3, events, cents });
        story.finds_only("G4", "a state of account-0");
    }
}

#[test]
fn a_refusal_without_a_cut_is_found() {
    let (mut story, by) = story(false);
    state(&mut story, Folded::Truncated { by: by + 1 });
    story.finds_only("G4", "which was not in force");
}
