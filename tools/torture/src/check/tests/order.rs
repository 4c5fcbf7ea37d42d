//! G6: positions, versions and time.

use super::story::Story;
use crate::history::{Outcome, Stored};

/// Exchanges the places of two events, and what was said of them.
fn exchange(story: &mut Story, first: usize, second: usize) {
    let positions = (story.truth.events[first].position, story.truth.events[second].position);
    story.truth.events[first].position = positions.1;
    story.truth.events[second].position = positions.0;
    for append in &mut story.history.appends {
        let Outcome::Done { positions: told, .. } = &mut append.outcome else { continue };
        for told in told {
            let other = (*told == positions.1).then_some(positions.0);
            *told = if *told == positions.0 { positions.1 } else { other.unwrap_or(*told) };
        }
    }
    story.truth.events.sort_by_key(|stored: &Stored| stored.position);
}

#[test]
fn positions_that_rise_with_versions_and_time_are_fine() {
    let mut story = Story::new();
    for stream in [0, 1, 0, 2] {
        let append = story.any(stream, 1);
        story.history.appends[append].seen = story.last() - 10;
    }
    story.is_clean();
}

#[test]
fn a_later_version_at_a_lower_position_is_found() {
    let mut story = Story::new();
    let (first, second) = (story.any(0, 1), story.any(0, 1));
    for place in [first, second] {
        story.history.appends[place].outcome = Outcome::Unknown;
    }
    exchange(&mut story, 0, 1);
    story.finds_only("G6", "in account-0 version 2 stands at position 10, behind 1 at 20");
}

#[test]
fn a_later_append_at_a_lower_position_is_found() {
    let mut story = Story::new();
    let (first, second) = (story.any(0, 1), story.any(1, 1));
    exchange(&mut story, 0, 1);
    story.finds_only("G6", "position 20 was there before the append of position 10 began");
    // Fine, if they overlap.
    let ended = story.history.appends[second].ended;
    story.history.appends[first].ended = ended;
    story.is_clean();
}

#[test]
fn a_lower_position_than_what_a_reader_had_been_given_is_found() {
    let mut story = Story::new();
    let first = story.any(0, 1);
    story.history.appends[first].outcome = Outcome::Unknown;
    let given = story.truth.events[0];
    story.page(1, 0, 0).events = vec![super::story::seen(&given)];
    story.any(1, 1);
    story.is_clean();
    exchange(&mut story, 0, 1);
    let page = &mut story.history.pages[0];
    (page.events[0].position, page.after, page.through) = (20, 10, 20);
    story.finds_only("G6", "position 20 was there before the append of position 10 began");
}

#[test]
fn a_position_below_what_the_writer_had_read_is_found() {
    let mut story = Story::new();
    let (first, second) = (story.any(0, 1), story.any(1, 1));
    let ended = story.history.appends[second].ended;
    story.history.appends[first].ended = ended;
    story.history.appends[first].seen = 20;
    story.finds_only("G6", "an event stands at position 10, and its writer had read 20");
    // Nobody can have read what is not there.
    story.history.appends[first].seen = 25;
    story.is_clean();
}

#[test]
fn a_position_that_is_taken_twice_is_found() {
    let mut story = Story::new();
    let (first, second) = (story.any(0, 1), story.any(1, 1));
    for place in [first, second] {
        story.history.appends[place].outcome = Outcome::Unknown;
    }
    story.truth.events[1].position = 10;
    story.finds_only("G6", "two events stand at position 10");
}
