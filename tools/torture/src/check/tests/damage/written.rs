//! Damage to appends and to what became of them.

use super::{is_acknowledged, is_found, pick, place};
use crate::history::{Append, Commit, Outcome, Stored};

#[test]
fn an_acknowledged_event_that_is_lost_is_found_anywhere() {
    is_found(&["G2"], |history, truth, rng| {
        let Some(place) = place(&history.appends, rng, is_acknowledged) else { return false };
        let mark = history.appends[place].parts[0].marks[0];
        truth.events.retain(|stored| stored.mark != mark);
        true
    });
}

#[test]
fn half_of_an_append_that_is_lost_is_found_anywhere() {
    is_found(&["G1"], |history, truth, rng| {
        let unknown = |append: &Append| append.outcome == Outcome::Unknown;
        let stored = |append: &Append| {
            let mark = append.parts[0].marks[0];
            append.parts.len() > 1 && truth.events.iter().any(|stored| stored.mark == mark)
        };
        let both = |append: &Append| unknown(append) && stored(append);
        let Some(place) = place(&history.appends, rng, both) else { return false };
        let mark = history.appends[place].parts[1].marks[0];
        truth.events.retain(|stored| stored.mark != mark);
        true
    });
}

#[test]
fn an_event_that_is_stored_twice_is_found_anywhere() {
    is_found(&["G3"], |_, truth, rng| {
        let Some(stored) = pick(truth.events.iter().copied(), rng) else { return false };
        let version = truth.events.iter().filter(|other| other.stream == stored.stream).count();
        let position = truth.events.last().unwrap().position + 1;
        truth.events.push(Stored { position, version: version as u64 + 1, ..stored });
        true
    });
}

#[test]
fn a_repetition_that_says_it_is_new_is_found_anywhere() {
    is_found(&["G3"], |history, _, rng| {
        let done = |append: &Append| matches!(append.outcome, Outcome::Done { .. });
        let repeat = |append: &Append| {
            let known = |other: &Append| {
                let before = other.request == append.request && other.ended < append.begun;
                before && done(other) && other.transaction.is_none()
            };
            done(append) && history.appends.iter().any(known)
        };
        let Some(place) = place(&history.appends, rng, repeat) else { return false };
        if let Outcome::Done { repeated, .. } = &mut history.appends[place].outcome {
            *repeated = false;
        }
        true
    });
}

#[test]
fn an_answer_with_another_version_or_position_is_found_anywhere() {
    is_found(&["G2", "G3"], |history, _, rng| {
        let Some(place) = place(&history.appends, rng, is_acknowledged) else { return false };
        let version = rng.bool();
        if let Outcome::Done { versions, positions, .. } = &mut history.appends[place].outcome {
            let told = if version { versions } else { positions };
            told[0] += 1;
        }
        true
    });
}

#[test]
fn a_transaction_that_was_rolled_back_and_is_stored_is_found_anywhere() {
    is_found(&["G1"], |history, truth, rng| {
        let stored = |append: &Append| {
            let mark = append.parts[0].marks[0];
            let once = |other: &&Append| other.request == append.request;
            append.transaction.is_some()
                && truth.events.iter().any(|stored| stored.mark == mark)
                && history.appends.iter().filter(once).count() == 1
        };
        let Some(place) = place(&history.appends, rng, stored) else { return false };
        let id = history.appends[place].transaction.unwrap();
        if rng.bool() {
            history.appends[place].undone = true;
        } else {
            let transaction = history.transactions.iter_mut().find(|t| t.id == id).unwrap();
            transaction.commit = Commit::RolledBack;
        }
        true
    });
}

#[test]
fn a_conflict_with_an_impossible_version_is_found_anywhere() {
    is_found(&["G4"], |history, truth, rng| {
        let conflict = |a: &Append| matches!(a.outcome, Outcome::Conflict { .. });
        let Some(place) = place(&history.appends, rng, conflict) else { return false };
        if let Outcome::Conflict { actual, .. } = &mut history.appends[place].outcome {
            *actual += truth.events.len() as u64;
        }
        true
    });
}

#[test]
fn two_events_of_a_stream_that_change_places_are_found_anywhere() {
    is_found(&["G2", "G4", "G7"], |_, truth, rng| {
        let Some(first) = place(&truth.events, rng, |stored| stored.version == 1) else {
            return false;
        };
        let stream = truth.events[first].stream;
        let later = |stored: &Stored| stored.stream == stream && stored.version > 1;
        let Some(second) = place(&truth.events, rng, later) else { return false };
        let (one, other) = (truth.events[first], truth.events[second]);
        (truth.events[first].mark, truth.events[first].cents) = (other.mark, other.cents);
        (truth.events[second].mark, truth.events[second].cents) = (one.mark, one.cents);
        true
    });
}
