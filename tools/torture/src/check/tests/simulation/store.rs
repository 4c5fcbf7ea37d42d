//! The store: streams with locks, a sequence of positions, and what is settled.

use std::collections::{BTreeMap, HashMap};

use super::Receipts;
use super::decisions::Boundaries;
use super::markers::Stand;
use crate::history::{Append, Expect, Moment, Outcome, Stored, StoredMark};

pub(super) struct Store {
    /// The last position that was drawn.
    pub(super) last: u64,
    visible: BTreeMap<u64, Stored>,
    total: i64,
    /// Of each stream, the cents up to each version.
    folds: Vec<Vec<i64>>,
    locks: HashMap<u32, u64>,
    pub(super) stands: Vec<Stand>,
    pub(super) marks: Vec<StoredMark>,
    pub(super) receipts: Receipts,
    pub(super) cents: HashMap<u64, i64>,
    pub(super) boundaries: Boundaries,
}

/// A transaction of the database that has not ended.
pub(super) struct Open {
    /// Of the lock table.
    pub(super) number: u64,
    /// A user's.
    pub(super) transaction: Option<u64>,
    pub(super) begun: Moment,
    pub(super) bound: u64,
    pub(super) appends: Vec<Append>,
    pub(super) pending: Vec<Stored>,
}

impl Store {
    pub(super) fn new(streams: u32) -> Self {
        Self {
            last: 0,
            visible: BTreeMap::new(),
            total: 0,
            folds: vec![vec![0]; streams as usize],
            locks: HashMap::new(),
            stands: (0..streams).map(Stand::new).collect(),
            marks: Vec::new(),
            receipts: HashMap::new(),
            cents: HashMap::new(),
            boundaries: Boundaries::default(),
        }
    }

    pub(super) fn version(&self, stream: u32) -> u64 {
        self.folds[stream as usize].len() as u64 - 1
    }

    pub(super) fn fold(&self, stream: u32) -> (u64, i64) {
        (self.version(stream), *self.folds[stream as usize].last().unwrap())
    }

    /// The cents and the number of all events.
    pub(super) fn total(&self) -> (i64, u64) {
        (self.total, self.visible.len() as u64)
    }

    pub(super) fn last_stored(&self) -> u64 {
        self.visible.keys().next_back().copied().unwrap_or(0)
    }

    pub(super) fn settled(&self, open: &[Open]) -> u64 {
        open.iter().map(|open| open.bound).min().unwrap_or(self.last)
    }

    pub(super) fn between(&self, after: u64, through: u64) -> impl Iterator<Item = &Stored> {
        let beyond = self.visible.range(after + 1..).map(|(_, stored)| stored);
        beyond.take_while(move |stored| stored.position <= through)
    }

    pub(super) fn events(&self) -> Vec<Stored> {
        self.visible.values().copied().collect()
    }

    /// Writes the events of an append into an open transaction, or says why not.
    pub(super) fn write(&mut self, open: &mut Open, append: &Append) -> Outcome {
        let is_free = |stream| self.locks.get(stream).is_none_or(|by| *by == open.number);
        if !append.parts.iter().all(|part| is_free(&part.stream)) {
            return Outcome::Failed;
        }
        for part in &append.parts {
            self.locks.insert(part.stream, open.number);
        }
        if let Some((versions, positions)) = self.receipts.get(&append.request).cloned() {
            return Outcome::Done { repeated: true, versions, positions };
        }
        let stands = append.parts.iter().map(|part| self.stands[part.stream as usize]);
        if let Some(stand) = stands.into_iter().find(Stand::is_closed) {
            return Outcome::Closed { by: stand.by, forever: stand.row.tombstoned };
        }
        for part in &append.parts {
            let actual = self.version_in(open, part.stream);
            let holds = match part.expected {
                Expect::Any => true,
                Expect::Exists => actual > 0,
                Expect::NoStream => actual == 0,
                Expect::Exact(version) => actual == version,
            };
            if !holds {
                return Outcome::Conflict { stream: part.stream, actual };
            }
        }
        let visible = self.visible.values().chain(&open.pending);
        if let Some(refused) = self.boundaries.guard(open.number, append, visible) {
            return refused;
        }
        let (mut versions, mut positions) = (Vec::new(), Vec::new());
        for part in &append.parts {
            let mut version = self.version_in(open, part.stream);
            for mark in &part.marks {
                (self.last, version) = (self.last + 1, version + 1);
                open.pending.push(Stored {
                    position: self.last,
                    stream: part.stream,
                    version,
                    slice: u16::try_from(part.stream * 397 % 1_024).unwrap(),
                    mark: *mark,
                    cents: self.cents[mark],
                    intact: true,
                });
            }
            versions.push(version);
            positions.push(self.last);
        }
        Outcome::Done { repeated: false, versions, positions }
    }

    /// Whether nobody's transaction holds a stream.
    pub(super) fn is_free(&self, stream: u32) -> bool {
        !self.locks.contains_key(&stream)
    }

    fn version_in(&self, open: &Open, stream: u32) -> u64 {
        let own = open.pending.iter().filter(|stored| stored.stream == stream).count();
        self.version(stream) + own as u64
    }

    pub(super) fn commit(&mut self, open: &Open) {
        for stored in &open.pending {
            let fold = &mut self.folds[stored.stream as usize];
            fold.push(fold.last().unwrap() + stored.cents);
            self.visible.insert(stored.position, *stored);
            self.total += stored.cents;
        }
        for append in open.appends.iter().filter(|append| !append.undone) {
            if let Outcome::Done { versions, positions, .. } = &append.outcome {
                self.receipts.insert(append.request, (versions.clone(), positions.clone()));
            }
        }
        self.release(open);
    }

    pub(super) fn release(&mut self, open: &Open) {
        self.locks.retain(|_, by| *by != open.number);
        self.boundaries.release(open.number);
    }
}
