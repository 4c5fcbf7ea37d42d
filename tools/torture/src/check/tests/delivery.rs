//! G7: everything, once, in order.

use super::story::{MS, Story, seen};
use crate::history::{Expect, Fault, Outcome};

fn four() -> Story {
    let mut story = Story::new();
    for stream in [0, 1, 0, 2] {
        story.any(stream, 1);
    }
    story
}

/// Two pages of two events each.
fn paged() -> Story {
    let mut story = four();
    let page = story.page(1, 0, 0);
    page.events.truncate(2);
    page.through = 20;
    story.page(1, 0, 20);
    story
}

#[test]
fn pages_that_go_on_to_the_end_are_fine() {
    paged().is_clean();
}

#[test]
fn a_new_life_at_the_last_event_is_fine() {
    let mut story = paged();
    story.history.pages[0].through = 25;
    story.history.pages[1].life = 1;
    story.is_clean();
}

#[test]
fn an_event_that_was_never_delivered_is_found() {
    let mut story = paged();
    story.history.pages[0].events.remove(0);
    story.finds("G7", "reader 1 was told of everything up to 40, and never given 10");
    let mut story = paged();
    story.history.pages[1].events.pop();
    story.finds_only("G7", "reader 1 was told of everything up to 40, and never given 40");
}

#[test]
fn an_event_that_lies_beyond_the_last_page_is_not_owed() {
    let mut story = paged();
    story.history.pages.pop();
    story.is_clean();
}

#[test]
fn an_event_that_committed_late_and_was_skipped_is_found() {
    let mut story = four();
    // It began before the page and ended long after.
    story.history.appends[1].ended += 100 * MS;
    story.page(1, 0, 0).events.remove(1);
    story.page(1, 0, 40);
    story.finds("G7", "never given 20");
}

#[test]
fn an_event_that_nobody_stored_is_found() {
    let mut story = paged();
    let mut ghost = story.history.pages[0].events[1];
    (ghost.position, ghost.mark, ghost.stream) = (25, 99, 3);
    ghost.version = 1;
    story.history.pages[1].events.insert(0, ghost);
    story.finds_only("G7", "reader 1 was given an event at 25 that was never stored");
}

#[test]
fn an_event_that_is_stored_otherwise_is_found() {
    let mut story = paged();
    story.history.pages[0].events[1].mark = 99;
    story.finds_only("G7", "reader 1 was given an event at 20 that is stored otherwise");
}

#[test]
fn events_out_of_order_are_found() {
    let mut story = paged();
    story.history.pages[0].events.swap(0, 1);
    story.finds("G7", "reader 1 was given position 10 out of order, after 20");
}

#[test]
fn an_event_that_is_delivered_twice_in_a_life_is_found() {
    let mut story = paged();
    let twice = story.history.pages[0].events[1];
    story.history.pages[1].events.insert(0, twice);
    story.finds("G7", "reader 1 was given position 20 out of order, after 20");
}

#[test]
fn an_event_beyond_what_the_page_covers_is_found() {
    let mut story = paged();
    story.history.pages[1].through = 35;
    story.finds_only("G7", "reader 1 was given position 40 out of order, after 30");
}

#[test]
fn a_page_that_does_not_go_on_where_the_last_one_ended_is_found() {
    let mut story = four();
    let page = story.page(1, 0, 0);
    page.events.truncate(2);
    page.through = 20;
    story.page(1, 0, 30);
    story.finds("G7", "reader 1 goes on after 30, and had been given up to 20");
    story.finds("G7", "never given 30");
}

#[test]
fn a_new_life_beyond_the_last_event_is_found() {
    let mut story = paged();
    (story.history.pages[0].through, story.history.pages[1].after) = (25, 25);
    story.is_clean();
    story.history.pages[1].life = 1;
    story.finds_only("G7", "reader 1 goes on after 25, and had been given up to 20");
}

#[test]
fn a_version_before_its_predecessor_is_found() {
    let mut story = Story::new();
    let append = story.append(0, Expect::Any, &[1, 2]);
    story.history.appends[append].outcome = Outcome::Unknown;
    let events = &mut story.truth.events;
    (events[0].position, events[1].position) = (20, 10);
    events.reverse();
    story.page(1, 0, 0);
    story.finds("G7", "reader 1 was given version 2 of account-0 after 0");
}

#[test]
fn a_reader_that_began_in_the_middle_owes_no_versions() {
    let mut story = four();
    story.page(1, 0, 20);
    story.is_clean();
}

/// A reader was told of more than was stored, and then that place was taken.
fn overtaken() -> Story {
    let mut story = four();
    let page = story.page(1, 0, 0);
    page.through = 65;
    story.any(0, 1);
    story
}

#[test]
fn a_position_that_was_drawn_again_after_a_crash_is_owed_by_later_pages_only() {
    let mut story = overtaken();
    story.finds_only("G7", "never given 50");
    let (begun, ended) = (55 * MS, 62 * MS);
    let detail = String::new();
    story.history.faults.push(Fault { kind: "kill-server", begun, ended, detail });
    story.is_clean();
    // Read on behind it, and it is lost.
    let page = story.page(1, 1, 40);
    page.events.clear();
    page.through = 70;
    story.finds_only("G7", "never given 50");
    let given = seen(&story.truth.events[4]);
    story.history.pages[1].events.push(given);
    story.is_clean();
    // A subscription finds its place again by itself.
    (story.history.pages[1].life, story.history.pages[1].after) = (0, 65);
    story.is_clean();
    story.history.faults.clear();
    story.finds("G7", "position 50 out of order");
}
