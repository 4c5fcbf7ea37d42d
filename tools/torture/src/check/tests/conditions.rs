//! G5: decisions over streams.

use super::story::Story;
use crate::history::{Commit, Decision, Expect, Given, Item, Outcome, Tagged};

impl Story {
    /// An acknowledged append of one event with tags.
    fn tagged(&mut self, stream: u32, kind: &'static str, tags: &[&str]) -> usize {
        let place = self.any(stream, 1);
        self.label(place, kind, tags);
        place
    }

    fn label(&mut self, place: usize, kind: &'static str, tags: &[&str]) {
        let mark = self.history.appends[place].parts[0].marks[0];
        let tags = tags.iter().map(ToString::to_string).collect();
        self.history.tagged.push(Tagged { mark, kind, tags });
    }

    /// What the next append rests on: it is given everything that these tell the marks of.
    fn decides(&mut self, items: &[Item], given: &[(u64, u8)]) {
        let (begun, ended) = self.tick();
        let position = |mark| self.truth.events.iter().find(|stored| stored.mark == mark);
        let given = given.iter().map(|&(mark, matched)| {
            let position = position(mark).map_or(0, |stored| stored.position);
            Given { position, mark, matched }
        });
        let given = given.collect();
        let request = self.history.appends.len() as u64 + 1;
        let (settled, items, transaction) = (self.last(), items.to_vec(), None);
        let decision = Decision { request, transaction, begun, ended, items, settled, given };
        self.history.decisions.push(decision);
    }
}

fn item(kinds: &[&'static str], tags: &[&str]) -> Item {
    Item { kinds: kinds.to_vec(), tags: tags.iter().map(ToString::to_string).collect() }
}

/// Mark 10 matches the first item, 20 the second, 30 both, 40 and 50 neither.
fn five() -> (Story, [Item; 2]) {
    let mut story = Story::new();
    story.tagged(0, "Booked", &["seat:1"]);
    story.tagged(1, "Closed", &["seat:2", "hall:1"]);
    story.tagged(0, "Closed", &["seat:1", "seat:2", "hall:1"]);
    story.tagged(1, "Booked", &["seat:2", "hall:1"]);
    story.any(2, 1);
    (story, [item(&[], &["seat:1"]), item(&["Closed"], &["hall:1", "seat:2"])])
}

const ALL: [(u64, u8); 3] = [(10, 1), (20, 2), (30, 3)];

#[test]
fn a_decision_that_has_seen_what_matches_is_fine() {
    let (mut story, items) = five();
    story.decides(&items, &ALL);
    let own = story.tagged(0, "Booked", &["seat:1"]);
    // Also as an answer that was lost, and repeated.
    let outcome = story.history.appends[own].outcome.clone();
    story.history.appends[own].outcome = Outcome::Unknown;
    story.again(own, outcome);
    story.any(1, 1);
    story.is_clean();
    story.decides(&items, &[(10, 1), (20, 2), (30, 3), (60, 1)]);
    let later = story.tagged(1, "Booked", &["seat:1"]);
    story.history.decisions[1].request = story.history.appends[later].request;
    story.is_clean();
}

#[test]
fn a_decision_that_passed_by_what_was_still_open_is_found() {
    let (mut story, items) = five();
    story.decides(&items, &ALL);
    let open = story.tagged(2, "Booked", &["seat:1"]);
    let own = story.tagged(0, "Booked", &["seat:7"]);
    story.history.decisions[0].request = story.history.appends[own].request;
    story.finds_only("G5", "stands at position 70, and had not seen 60");
    // Whether or not anybody knows that they were made.
    story.history.appends[open].outcome = Outcome::Unknown;
    story.history.appends[own].outcome = Outcome::Unknown;
    story.finds_only("G5", "stands at position 70, and had not seen 60");
    // What stands above it does not stand against it.
    story.truth.events[5].position = 75;
    story.truth.events.swap(5, 6);
    story.is_clean();
}

#[test]
fn a_decision_by_type_alone_that_passed_one_by_is_found() {
    let (mut story, _) = five();
    story.decides(&[item(&["Closed"], &[])], &[(20, 1)]);
    story.tagged(0, "Booked", &[]);
    story.finds("G5", "a decision stands at position 60, and had not seen 30");
}

#[test]
fn an_event_that_was_there_and_not_given_is_found() {
    let (mut story, items) = five();
    story.decides(&items, &ALL[..2]);
    story.refused(0, Expect::Any, Outcome::Failed);
    story.finds_only("G5", "a decision was not given position 30");
    // Fine, if it came while it was read.
    story.history.decisions[0].begun = story.history.appends[2].ended;
    story.is_clean();
}

#[test]
fn an_event_that_was_given_and_is_not_stored_is_found() {
    let (mut story, items) = five();
    story.decides(&items, &[(10, 1), (20, 2), (30, 3), (77, 1)]);
    story.refused(0, Expect::Any, Outcome::Failed);
    story.finds_only("G5", "was given mark 77 at 0, which is not stored so");

    let (mut story, items) = five();
    story.decides(&items, &ALL);
    story.history.decisions[0].given[1].position += 1;
    story.finds_only("G5", "was given mark 20 at 21, which is not stored so");
}

#[test]
fn what_its_own_transaction_had_appended_need_not_be_stored() {
    let (mut story, items) = five();
    let own = story.tagged(2, "Booked", &["seat:1"]);
    story.decides(&items, &[(10, 1), (20, 2), (30, 3), (60, 1)]);
    let decided = story.refused(0, Expect::Any, Outcome::Failed);
    story.transaction(&[own, decided], Commit::RolledBack);
    story.history.decisions[0].transaction = story.history.appends[own].transaction;
    story.lose(1);
    story.is_clean();
    story.history.decisions[0].transaction = None;
    story.finds_only("G5", "was given mark 60 at 60, which is not stored so");
}

#[test]
fn an_event_that_was_given_and_does_not_match_is_found() {
    let wrong: [&[(u64, u8)]; 3] = [
        &[(10, 1), (20, 2), (30, 3), (40, 1)],
        &[(10, 1), (20, 2), (30, 1)],
        &[(10, 1), (20, 2), (30, 3), (50, 2)],
    ];
    for given in wrong {
        let (mut story, items) = five();
        story.decides(&items, given);
        story.finds_only("G5", "which does not match what it is said to");
    }
}

#[test]
fn events_that_were_given_out_of_order_or_twice_are_found() {
    for given in [[(20, 2), (10, 1), (30, 3)], [(10, 1), (10, 1), (30, 3)]] {
        let (mut story, items) = five();
        story.decides(&items, &given);
        story.finds("G5", "out of order");
    }
}

#[test]
fn a_refusal_for_what_came_meanwhile_is_fine() {
    let (mut story, items) = five();
    story.decides(&items, &ALL);
    let refused = story.refused(0, Expect::Any, Outcome::Overtaken { position: 60 });
    story.tagged(2, "Closed", &["seat:1"]);
    story.history.appends[refused].ended = story.history.appends[refused + 1].ended;
    story.is_clean();
}

#[test]
fn a_refusal_without_a_reason_is_found() {
    for (position, why) in [
        (65, "which is not stored"),
        (10, "which it had seen"),
        (40, "which does not match its query"),
        (70, "which was not there yet"),
    ] {
        let (mut story, items) = five();
        story.decides(&items, &ALL);
        story.refused(0, Expect::Any, Outcome::Overtaken { position });
        story.any(2, 1);
        story.tagged(2, "Closed", &["seat:1"]);
        story.finds_only("G5", &format!("was refused for position {position}, {why}"));
    }
}

#[test]
fn a_refusal_after_the_acknowledgement_is_found() {
    let (mut story, items) = five();
    story.decides(&items, &ALL);
    let own = story.tagged(2, "Booked", &["seat:1"]);
    story.tagged(2, "Booked", &["seat:1"]);
    story.again(own, Outcome::Overtaken { position: 70 });
    story.finds_only("G3", "append 6 was refused though it had been made");
}

#[test]
fn a_refusal_for_its_own_event_is_found() {
    let (mut story, items) = five();
    story.decides(&items, &ALL);
    let own = story.tagged(2, "Booked", &["seat:1"]);
    story.history.appends[own].outcome = Outcome::Unknown;
    story.again(own, Outcome::Overtaken { position: 60 });
    story.finds_only("G3", "append 6 was refused though it had been made");
}

#[test]
fn a_refused_decision_that_is_stored_is_found() {
    let (mut story, items) = five();
    story.decides(&items, &ALL);
    let own = story.tagged(2, "Booked", &["seat:1"]);
    story.tagged(2, "Booked", &["seat:1"]);
    story.history.appends[own].outcome = Outcome::Overtaken { position: 70 };
    story.history.appends[own].ended = story.history.appends[own + 1].ended;
    story.finds_only("G3", "mark 60 is stored, though the append was refused");
}
