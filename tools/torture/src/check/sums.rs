//! G1: a sum over all events is a sum of whole appends, and of every one that was there before.
//!
//! Decided exactly where few appends were under way: then some set of them has to explain the
//! events and the cents. Where there were many, only the bounds are: no fewer and no more than all of
//! them would make. An event that is not in the truth explains nothing.

use std::collections::HashMap;

use super::Finding;
use super::calls::{NEVER, Unit};
use super::case::Case;
use super::rule::Rule;
use crate::history::{Moment, Sum};

/// Beyond so many different sums it is not decided which of them was seen.
const SUMS: usize = 1_024;

/// Events that become visible at one moment.
#[derive(Clone, Copy, Debug)]
struct Whole {
    events: u64,
    cents: i64,
    begun: Moment,
    known: Moment,
}

pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    let mut rule = Rule::new("G1");
    let mut sums: Vec<&Sum> = case.history.sums.iter().collect();
    sums.sort_by_key(|sum| sum.begun);
    if sums.is_empty() {
        return Vec::new();
    }
    let wholes = wholes(case);
    let mut ahead = wholes.as_slice();
    let mut open: Vec<Whole> = Vec::new();
    let (mut events, mut cents) = (0_u64, 0_i64);
    for sum in sums {
        let started = ahead.partition_point(|whole| whole.begun <= sum.begun);
        let (begun, later) = ahead.split_at(started);
        open.extend(begun);
        ahead = later;
        open.retain(|whole| {
            let done = whole.known < sum.begun;
            if done {
                (events, cents) = (events + whole.events, cents + whole.cents);
            }
            !done
        });
        let meanwhile = ahead.partition_point(|whole| whole.begun <= sum.ended);
        let doubtful: Vec<&Whole> = open.iter().chain(ahead.iter().take(meanwhile)).collect();
        let rest = sum.events.checked_sub(events).map(|rest| (rest, sum.cents - cents));
        if !rest.is_some_and(|rest| is_explained(&doubtful, rest)) {
            rule.broken(|| {
                let text = "a sum is not made of whole appends that it could see".to_owned();
                let told = told(&doubtful, events, cents);
                (text, case.excerpt().sum(sum).line(told).lines())
            });
        }
    }
    rule.findings()
}

fn wholes(case: &Case<'_>) -> Vec<Whole> {
    let mut units: HashMap<Unit, Whole> = HashMap::new();
    let mut wholes = Vec::new();
    for fact in &case.facts.order {
        let (begun, known, cents) = (fact.begun, fact.known, fact.stored.cents);
        let Some(unit) = fact.unit() else {
            wholes.push(Whole { events: 1, cents, begun: 0, known: NEVER });
            continue;
        };
        let whole = units.entry(unit).or_insert(Whole { events: 0, cents: 0, begun, known });
        whole.events += 1;
        whole.cents += cents;
        // The last of its appends began before all became visible, at once.
        whole.begun = whole.begun.max(begun);
        whole.known = whole.known.min(known);
    }
    wholes.extend(units.into_values());
    wholes.sort_by_key(|whole| whole.begun);
    wholes
}

/// Whether some of the doubtful ones make up the rest.
fn is_explained(doubtful: &[&Whole], (events, cents): (u64, i64)) -> bool {
    let most: u64 = doubtful.iter().map(|whole| whole.events).sum();
    let lowest: i64 = doubtful.iter().map(|whole| whole.cents.min(0)).sum();
    let highest: i64 = doubtful.iter().map(|whole| whole.cents.max(0)).sum();
    if events > most || cents < lowest || cents > highest {
        return false;
    }
    let mut reached = vec![(0_u64, 0_i64)];
    for whole in doubtful {
        let with = reached.iter().map(|(n, sum)| (n + whole.events, sum + whole.cents));
        let with: Vec<(u64, i64)> = with.filter(|(n, _)| *n <= events).collect();
        reached.extend(with);
        // Two runs that are sorted: this merges them.
        reached.sort();
        reached.dedup();
        if reached.len() > SUMS {
            return true;
        }
    }
    reached.contains(&(events, cents))
}

fn told(doubtful: &[&Whole], events: u64, cents: i64) -> String {
    let more: u64 = doubtful.iter().map(|whole| whole.events).sum();
    format!(
        "acknowledged before: {events} events, {cents} cents; under way: {} appends with {more} events",
        doubtful.len()
    )
}
