//! Damage to what decisions rest on.

use super::{is_done, is_found, pick, place};
use crate::history::{Decision, History, Outcome, Truth};

/// Decisions that are stored, and were given something.
fn stored(history: &History, truth: &Truth, decision: &Decision) -> bool {
    let of_it = |append: &&crate::history::Append| append.request == decision.request;
    let append = history.appends.iter().filter(of_it).find(|append| is_done(append));
    append.is_some_and(|append| {
        let mark = append.parts[0].marks[0];
        truth.events.iter().any(|stored| stored.mark == mark)
    })
}

#[test]
fn a_condition_that_is_ignored_is_found_anywhere() {
    is_found(&["G5"], |history, truth, rng| {
        let has = |d: &Decision| !d.given.is_empty() && stored(history, truth, d);
        let Some(place) = place(&history.decisions, rng, has) else { return false };
        // It was given this one only in hindsight: it was read while that was still open.
        let decision = &mut history.decisions[place];
        decision.given.remove(rng.usize(..decision.given.len()));
        decision.begun = 0;
        true
    });
}

#[test]
fn a_decision_that_was_refused_and_is_stored_after_all_is_found_anywhere() {
    is_found(&["G3", "G4", "G5"], |history, truth, rng| {
        let overtaken = |a: &crate::history::Append| matches!(a.outcome, Outcome::Overtaken { .. });
        let Some(place) = place(&history.appends, rng, overtaken) else { return false };
        let append = &mut history.appends[place];
        append.outcome = Outcome::Unknown;
        let (part, mut last) = (&append.parts[0], *truth.events.last().unwrap());
        last.position += 1;
        last.stream = part.stream;
        last.mark = part.marks[0];
        let version = truth.events.iter().filter(|stored| stored.stream == part.stream).count();
        last.version = version as u64 + 1;
        truth.events.push(last);
        true
    });
}

#[test]
fn an_event_that_a_decision_was_not_given_is_found_anywhere() {
    is_found(&["G5"], |history, truth, rng| {
        let early: Vec<u64> = truth.events.iter().take(100).map(|stored| stored.mark).collect();
        let end = history.appends.iter().map(|append| append.ended).max();
        let has = |d: &Decision| d.given.iter().any(|given| early.contains(&given.mark));
        let Some(place) = place(&history.decisions, rng, has) else { return false };
        let decision = &mut history.decisions[place];
        // Read again at the end, by which time it was known.
        decision.begun = end.unwrap() + 1;
        decision.given.retain(|given| !early.contains(&given.mark));
        true
    });
}

#[test]
fn an_event_that_a_decision_was_given_and_that_is_not_stored_is_found_anywhere() {
    is_found(&["G5"], |history, truth, rng| {
        let outside = history.decisions.iter().filter(|decision| decision.transaction.is_none());
        let Some(given) = pick(outside.flat_map(|decision| &decision.given), rng) else {
            return false;
        };
        let mark = given.mark;
        truth.events.retain(|stored| stored.mark != mark);
        true
    });
}

#[test]
fn a_refusal_for_another_event_is_found_anywhere() {
    is_found(&["G5"], |history, _, rng| {
        let overtaken = |a: &crate::history::Append| matches!(a.outcome, Outcome::Overtaken { .. });
        let Some(place) = place(&history.appends, rng, overtaken) else { return false };
        let append = &mut history.appends[place];
        let request = append.request;
        let decision = history.decisions.iter().find(|decision| decision.request == request);
        let given = decision.unwrap().given.first().map_or(u64::MAX, |given| given.position);
        append.outcome = Outcome::Overtaken { position: given };
        true
    });
}
