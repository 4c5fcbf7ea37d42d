//! G16, G18, and those who did not come back.

use super::story::Story;

#[test]
fn a_story_with_pages_and_nothing_left_behind_is_fine() {
    let mut story = Story::new();
    story.any(0, 1);
    story.page(1, 0, 0);
    story.is_clean();
}

#[test]
fn an_event_that_is_stored_damaged_is_found() {
    let mut story = Story::new();
    story.any(0, 1);
    story.truth.events[0].intact = false;
    story.finds_only("G16", "the event stored at 10 is not what was appended");
}

#[test]
fn an_event_that_is_delivered_damaged_is_found() {
    let mut story = Story::new();
    story.any(0, 1);
    story.page(1, 0, 0).events[0].intact = false;
    story.finds_only("G16", "the event delivered at 10 is not what was appended");
}

#[test]
fn an_event_that_nobody_appended_is_found() {
    let mut story = Story::new();
    story.store(0, 99, 1);
    story.finds_only("G16", "nobody appended the event stored at 10");
}

#[test]
fn what_is_left_behind_is_found() {
    let mut story = Story::new();
    story.truth.residue.push("an advisory lock of backend 7".to_owned());
    story.finds_only("G18", "left behind: an advisory lock of backend 7");
}

#[test]
fn who_does_not_come_back_is_found() {
    let mut story = Story::new();
    story.truth.wedged.push("reader 3".to_owned());
    story.finds_only("G8", "did not come back: reader 3");
}
