//! Boundaries: tags and kinds, decisions that read what matches, and who has to wait for whom.

use std::collections::{HashMap, VecDeque};

use super::Simulation;
use crate::history::{Append, Decision, Given, Item, Outcome, Stored, Tagged};

const KINDS: [&str; 2] = ["Booked", "Closed"];

/// Nobody writes what matches the query of an open decision, and nobody judges a query that something
/// matches which is open.
#[derive(Default)]
pub(super) struct Boundaries {
    pub(super) tagged: HashMap<u64, Tagged>,
    decisions: HashMap<u64, Decision>,
    /// What was judged and written in open transactions.
    judged: Vec<(u64, Vec<Item>)>,
    written: Vec<(u64, u64)>,
    /// What was decided and is still to be appended.
    waiting: VecDeque<Append>,
}

impl Boundaries {
    /// Why an append can't be made now; else it is in, and others may have to wait for it.
    pub(super) fn guard<'a>(
        &mut self,
        number: u64,
        append: &Append,
        visible: impl Iterator<Item = &'a Stored>,
    ) -> Option<Outcome> {
        let marks: Vec<u64> = append.parts.iter().flat_map(|part| &part.marks).copied().collect();
        let is_closed = |(by, items): &(u64, Vec<Item>)| {
            *by != number && marks.iter().any(|mark| self.matched(*mark, items) > 0)
        };
        if self.judged.iter().any(is_closed) {
            return Some(Outcome::Failed);
        }
        if let Some(decision) = self.decisions.get(&append.request) {
            let items = decision.items.clone();
            let open = |(by, mark): &(u64, u64)| *by != number && self.matched(*mark, &items) > 0;
            if self.written.iter().any(open) {
                return Some(Outcome::Failed);
            }
            let seen = |mark| decision.given.iter().any(|given| given.mark == mark);
            let against = |e: &&Stored| self.matched(e.mark, &items) > 0 && !seen(e.mark);
            let position = visible.filter(against).map(|stored| stored.position).min();
            self.judged.push((number, items));
            if let Some(position) = position {
                return Some(Outcome::Overtaken { position });
            }
        }
        self.written.extend(marks.into_iter().map(|mark| (number, mark)));
        None
    }

    pub(super) fn release(&mut self, number: u64) {
        self.judged.retain(|(by, _)| *by != number);
        self.written.retain(|(by, _)| *by != number);
    }

    fn matched(&self, mark: u64, items: &[Item]) -> u8 {
        let Some(tagged) = self.tagged.get(&mark) else { return 0 };
        let mut bits = 0;
        for (place, Item { kinds, tags }) in items.iter().enumerate() {
            let of_kind = kinds.is_empty() || kinds.contains(&tagged.kind);
            if of_kind && tags.iter().all(|tag| tagged.tags.contains(tag)) {
                bits |= 1 << place;
            }
        }
        bits
    }
}

impl Simulation {
    /// Gives tags to some of an append's events.
    pub(super) fn tag(&mut self, append: &Append) {
        for mark in append.parts.iter().flat_map(|part| &part.marks) {
            if self.rng.bool() {
                continue;
            }
            let kind = KINDS[usize::from(self.rng.u8(..) < 32)];
            let mut tags: Vec<_> = (0..self.rng.u8(..3)).map(|_| self.seat()).collect();
            tags.dedup();
            let tagged = Tagged { mark: *mark, kind, tags };
            self.store.boundaries.tagged.insert(*mark, tagged.clone());
            self.history.tagged.push(tagged);
        }
    }

    fn seat(&mut self) -> String {
        format!("seat:{}", self.rng.u8(..12))
    }

    /// A decision is read now, and its append is made some time.
    pub(super) fn decide(&mut self) {
        let append = self.draft();
        self.decide_on(append.request, None, &[]);
        let waiting = &mut self.store.boundaries.waiting;
        waiting.push_back(append);
        if waiting.len() > self.rng.usize(2..8) {
            let append = waiting.pop_front();
            append.into_iter().for_each(|append| self.begin_with(None, append));
        }
    }

    pub(super) fn decide_on(&mut self, request: u64, transaction: Option<u64>, own: &[Stored]) {
        let mut items: Vec<_> = (0..self.rng.u8(1..4)).map(|_| self.item()).collect();
        if self.rng.u8(..) < 16 {
            items = vec![Item { kinds: vec!["Closed"], tags: Vec::new() }];
        }
        let settled = self.store.settled(&self.open);
        let mut given = Vec::new();
        for stored in self.store.between(0, u64::MAX).chain(own) {
            let matched = self.store.boundaries.matched(stored.mark, &items);
            if matched > 0 {
                given.push(Given { position: stored.position, mark: stored.mark, matched });
            }
        }
        // What is its own stands above some that were committed since.
        given.sort_by_key(|given| given.position);
        let (begun, ended) = (self.before(), self.now);
        let decision = Decision { request, transaction, begun, ended, items, settled, given };
        self.store.boundaries.decisions.insert(request, decision.clone());
        self.history.decisions.push(decision);
    }

    fn item(&mut self) -> Item {
        let mut tags = vec![self.seat()];
        if self.rng.u8(..) < 40 {
            tags.push(self.seat());
            tags.dedup();
        }
        let kinds = if self.rng.bool() { vec!["Booked"] } else { Vec::new() };
        Item { kinds, tags }
    }
}
