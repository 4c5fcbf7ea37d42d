//! The stored events, each with the request it came from and the moments between which it came to be.

use super::calls::{NEVER, Origin, Unit};
use super::marks::ByMark;
use crate::history::{History, Moment, Page, Stored, Truth};

#[derive(Clone, Copy, Debug)]
pub(super) struct Fact<'a> {
    pub(super) stored: &'a Stored,
    /// None for an event that nobody is recorded to have appended.
    pub(super) origin: Option<&'a Origin<'a>>,
    /// Before this moment it was not there.
    pub(super) begun: Moment,
    /// From this moment on it was there: acknowledged, or delivered to a reader. [`NEVER`] if the
    /// history does not say.
    pub(super) known: Moment,
}

impl Fact<'_> {
    pub(super) fn unit(&self) -> Option<Unit> {
        self.origin.map(|origin| origin.unit)
    }
}

pub(super) struct Facts<'a> {
    /// By position.
    pub(super) order: Vec<Fact<'a>>,
    by_mark: ByMark<usize>,
    /// Marks that are stored more than once: the first copy, and each other one.
    pub(super) doubled: Vec<(&'a Stored, &'a Stored)>,
}

impl<'a> Facts<'a> {
    pub(super) fn of(history: &History, truth: &'a Truth, origins: &'a [Origin<'a>]) -> Self {
        let mut origin_of = ByMark::default();
        origin_of.reserve(truth.events.len());
        for origin in origins {
            origin_of.extend(origin.marks().map(|mark| (mark, origin)));
        }
        let mut order: Vec<Fact<'a>> = truth
            .events
            .iter()
            .map(|stored| {
                let origin = origin_of.get(&stored.mark).copied();
                let begun = origin.map_or(0, |origin| origin.begun);
                let known = origin.map_or(NEVER, |origin| origin.known);
                Fact { stored, origin, begun, known }
            })
            .collect();
        order.sort_by_key(|fact| fact.stored.position);
        history.pages.iter().for_each(|page| note_delivered(&mut order, page));

        let mut by_mark = ByMark::default();
        by_mark.reserve(order.len());
        let mut doubled = Vec::new();
        for (place, fact) in order.iter().enumerate() {
            let first = *by_mark.entry(fact.stored.mark).or_insert(place);
            if let Some(first) = order.get(first).filter(|_| first != place) {
                doubled.push((first.stored, fact.stored));
            }
        }
        Self { order, by_mark, doubled }
    }

    pub(super) fn of_mark(&self, mark: u64) -> Option<&Fact<'a>> {
        self.by_mark.get(&mark).and_then(|place| self.order.get(*place))
    }

    pub(super) fn at(&self, position: u64) -> Option<&Fact<'a>> {
        self.between(position.saturating_sub(1), position).first()
    }

    /// Those with a position above `after`, up to `through`.
    pub(super) fn between(&self, after: u64, through: u64) -> &[Fact<'a>] {
        let start = self.order.partition_point(|fact| fact.stored.position <= after);
        let end = self.order.partition_point(|fact| fact.stored.position <= through);
        self.order.get(start..end).unwrap_or_default()
    }
}

/// What a reader was given had been committed when the page came back.
fn note_delivered(order: &mut [Fact<'_>], page: &Page) {
    let Some(first) = page.events.first() else { return };
    let mut place = order.partition_point(|fact| fact.stored.position < first.position);
    for seen in &page.events {
        while order.get(place).is_some_and(|fact| fact.stored.position < seen.position) {
            place += 1;
        }
        let fact = order
            .get_mut(place)
            .filter(|fact| (fact.stored.position, fact.stored.mark) == (seen.position, seen.mark));
        if let Some(fact) = fact {
            fact.known = fact.known.min(page.ended);
        }
    }
}
