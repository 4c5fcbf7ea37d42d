//! Damage to marks and to what was told of marked streams.

use super::super::simulation::Stand;
use super::{is_acknowledged, is_found, place};
use crate::history::{
    Act, Answer, Append, Found, Marking, Outcome, Standing, StoredMark, StreamRead,
};

#[test]
fn a_mark_that_is_lost_is_found_anywhere() {
    is_found(&["G2"], |history, truth, rng| {
        let made = |marking: &Marking| marking.answer == Answer::Made;
        let Some(place) = place(&history.markings, rng, made) else { return false };
        let number = history.markings[place].number;
        truth.marks.retain(|stored| stored.number != number);
        true
    });
}

#[test]
fn a_refusal_by_another_mark_is_found_anywhere() {
    is_found(&["G4"], |history, _, rng| {
        let closed = |append: &Append| matches!(append.outcome, Outcome::Closed { .. });
        let Some(place) = place(&history.appends, rng, closed) else { return false };
        let Outcome::Closed { by, .. } = &mut history.appends[place].outcome else { return false };
        *by += 1;
        true
    });
}

#[test]
fn an_event_that_a_read_lacks_is_found_anywhere() {
    is_found(&["G4"], |history, _, rng| {
        let full = |read: &StreamRead| matches!(&read.found, Found::Events { events, .. } if !events.is_empty());
        let Some(place) = place(&history.reads, rng, full) else { return false };
        let Found::Events { events, .. } = &mut history.reads[place].found else { return false };
        events.remove(rng.usize(..events.len()));
        true
    });
}

#[test]
fn a_closing_that_was_earlier_than_an_append_is_found_anywhere() {
    is_found(&["G4"], |history, truth, rng| {
        let marked: Vec<u32> = truth.marks.iter().map(|stored| stored.stream).collect();
        let unmarked = |append: &Append| !marked.contains(&append.parts[0].stream);
        let done = |append: &Append| is_acknowledged(append) && unmarked(append);
        let Some(place) = place(&history.appends, rng, done) else { return false };
        let (stream, act, number) =
            (history.appends[place].parts[0].stream, Act::Tombstone, 1 << 40);
        let answer = Answer::Made;
        history.markings.push(Marking { number, stream, act, begun: 1, ended: 2, answer });
        truth.marks.push(StoredMark { stream, order: 1, act, number });
        let tombstoned = Standing { tombstoned: true, ..Stand::new(stream).row };
        truth.standings.retain(|standing| standing.stream != stream);
        truth.standings.push(tombstoned);
        true
    });
}
