//! The facts of one stream, and how far it can and must have come at a moment.

use std::collections::BTreeMap;

use super::calls::NEVER;
use super::facts::{Fact, Facts};
use crate::history::Moment;

#[derive(Default)]
pub(super) struct Log<'a> {
    /// By version.
    pub(super) facts: Vec<&'a Fact<'a>>,
    /// For each version, the moment before which the stream can't have come so far.
    earliest: Vec<Moment>,
    /// Moments from which the stream had come so far at least: both rise.
    latest: Vec<(Moment, u64)>,
    /// The sum of the cents up to each version, from 0 on.
    cents: Vec<i64>,
}

/// The log of every stream that has events.
pub(super) fn of<'a>(facts: &'a Facts<'a>) -> BTreeMap<u32, Log<'a>> {
    let mut streams: BTreeMap<u32, Vec<&'a Fact<'a>>> = BTreeMap::new();
    for fact in &facts.order {
        streams.entry(fact.stored.stream).or_default().push(fact);
    }
    streams.into_iter().map(|(stream, facts)| (stream, Log::new(facts))).collect()
}

impl<'a> Log<'a> {
    fn new(mut facts: Vec<&'a Fact<'a>>) -> Self {
        facts.sort_by_key(|fact| fact.stored.version);
        let mut highest = 0;
        let earliest = facts.iter().map(|fact| {
            highest = fact.begun.max(highest);
            highest
        });
        let earliest = earliest.collect();

        let known = facts.iter().filter(|fact| fact.known != NEVER);
        let mut latest: Vec<_> = known.map(|fact| (fact.known, fact.stored.version)).collect();
        latest.sort_unstable();
        let mut highest = 0;
        for (_, version) in &mut latest {
            highest = highest.max(*version);
            *version = highest;
        }

        let mut cents = vec![0];
        let mut sum = 0_i64;
        cents.extend(facts.iter().map(|fact| {
            sum = sum.wrapping_add(fact.stored.cents);
            sum
        }));
        Self { facts, earliest, latest, cents }
    }

    /// How many events it can have had at a moment, at most.
    pub(super) fn at_most(&self, at: Moment) -> u64 {
        self.earliest.partition_point(|&earliest| earliest <= at) as u64
    }

    /// The version it had before a moment, at least.
    pub(super) fn at_least(&self, at: Moment) -> u64 {
        let known = self.latest.partition_point(|&(known, _)| known < at);
        known.checked_sub(1).and_then(|last| self.latest.get(last)).map_or(0, |(_, v)| *v)
    }

    /// How many of its events stand at a position or below.
    pub(super) fn up_to(&self, position: u64) -> u64 {
        self.facts.partition_point(|fact| fact.stored.position <= position) as u64
    }

    /// The fold of its first events.
    pub(super) fn cents(&self, version: u64) -> Option<i64> {
        if version == 0 {
            // Also of a stream that nobody ever appended to.
            return Some(0);
        }
        self.cents.get(usize::try_from(version).ok()?).copied()
    }

    pub(super) fn fact(&self, version: u64) -> Option<&'a Fact<'a>> {
        let place = usize::try_from(version.checked_sub(1)?).ok()?;
        self.facts.get(place).copied()
    }
}
