//! Damage to what readers and those who load were given.

use super::{is_acknowledged, is_found, pick, place};
use crate::history::{LoadKind, Page};

#[test]
fn a_load_that_is_stale_is_found_anywhere() {
    is_found(&["G4"], |history, _, rng| {
        let old = |kind| matches!(kind, LoadKind::State | LoadKind::Fresh);
        let Some(place) = place(&history.loads, rng, |l| old(l.kind) && l.version > 5) else {
            return false;
        };
        let load = &mut history.loads[place];
        (load.version, load.cents) = (0, 0);
        true
    });
}

#[test]
fn a_load_with_other_cents_is_found_anywhere() {
    is_found(&["G4"], |history, _, rng| {
        let Some(place) = place(&history.loads, rng, |_| true) else { return false };
        history.loads[place].cents += 1;
        true
    });
}

#[test]
fn a_sum_without_half_a_transfer_is_found_anywhere() {
    is_found(&["G1"], |history, truth, rng| {
        let Some(place) = place(&history.sums, rng, |sum| sum.events > 20) else { return false };
        // Of an event that had long been there.
        let sum = &mut history.sums[place];
        let Some(stored) = pick(truth.events.iter().take(10), rng) else { return false };
        (sum.events, sum.cents) = (sum.events - 1, sum.cents - stored.cents);
        true
    });
}

#[test]
fn positions_that_are_exchanged_are_found_anywhere() {
    is_found(&["G6"], |history, truth, rng| {
        let count = truth.events.len();
        if count < 60 {
            return false;
        }
        let (first, second) = (rng.usize(..20), count - 1 - rng.usize(..20));
        let (low, high) = (truth.events[first].position, truth.events[second].position);
        (truth.events[first].position, truth.events[second].position) = (high, low);
        truth.events.sort_by_key(|stored| stored.position);
        history.pages.clear();
        true
    });
}

#[test]
fn a_writer_that_had_read_a_later_event_is_found_anywhere() {
    is_found(&["G6"], |history, truth, rng| {
        let Some(place) = place(&history.appends, rng, is_acknowledged) else { return false };
        history.appends[place].seen = truth.events.last().unwrap().position;
        true
    });
}

#[test]
fn an_event_that_is_left_out_of_a_page_is_found_anywhere() {
    is_found(&["G7"], |history, _, rng| {
        let full = place(&history.pages, rng, |page| !page.events.is_empty());
        let Some(place) = full else { return false };
        let events = &mut history.pages[place].events;
        events.remove(rng.usize(..events.len()));
        true
    });
}

#[test]
fn a_page_that_is_left_out_is_found_anywhere() {
    is_found(&["G7"], |history, _, rng| {
        let full = place(&history.pages, rng, |page| {
            // One in the middle: nobody can know where a reader wanted to begin and end.
            let same = |other: &&Page| other.reader == page.reader;
            let begun = || history.pages.iter().filter(same).map(|other| other.begun);
            let ends = begun().min().zip(begun().max());
            !page.events.is_empty() && ends.is_some_and(|(a, b)| a < page.begun && page.begun < b)
        });
        let Some(place) = full else { return false };
        history.pages.remove(place);
        true
    });
}

#[test]
fn events_of_a_page_that_change_places_are_found_anywhere() {
    is_found(&["G7"], |history, _, rng| {
        let Some(place) = place(&history.pages, rng, |page| page.events.len() > 1) else {
            return false;
        };
        history.pages[place].events.swap(0, 1);
        true
    });
}

#[test]
fn an_event_that_is_delivered_and_not_stored_is_found_anywhere() {
    is_found(&["G7"], |history, truth, rng| {
        let Some(page) = pick(history.pages.iter().filter(|p| !p.events.is_empty()), rng) else {
            return false;
        };
        let mark = page.events[0].mark;
        truth.events.retain(|stored| stored.mark != mark);
        true
    });
}

#[test]
fn a_damaged_payload_is_found_anywhere() {
    is_found(&["G16"], |history, truth, rng| {
        let full = place(&history.pages, rng, |page| !page.events.is_empty());
        match full.filter(|_| rng.bool()) {
            Some(place) => history.pages[place].events[0].intact = false,
            None => truth.events[0].intact = false,
        }
        true
    });
}
