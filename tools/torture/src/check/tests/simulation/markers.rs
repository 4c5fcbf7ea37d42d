//! Marks, and reads of streams that are marked.

use super::{STREAMS, Simulation};
use crate::history::{Act, Answer, Found, Marking, Standing, StoredMark, StreamRead, Truth};

/// The last of the streams are tombstoned at times.
const MORTAL: u32 = 2;

/// How a stream stands, and by which mark it is closed.
#[derive(Clone, Copy)]
pub(in crate::check::tests) struct Stand {
    pub(in crate::check::tests) row: Standing,
    pub(super) by: u64,
}

impl Stand {
    pub(in crate::check::tests) fn new(stream: u32) -> Self {
        let row = Standing { stream, archived: false, tombstoned: false, first: 1, summary: false };
        Self { row, by: 0 }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.row.archived || self.row.tombstoned
    }

    /// None if it may not be marked so.
    fn after(self, act: Act, number: u64, version: u64) -> Option<Self> {
        let Self { row, by } = self;
        if version == 0 || row.tombstoned && act != Act::Tombstone {
            return None;
        }
        Some(match act {
            Act::Archive if row.archived => self,
            Act::Tombstone if row.tombstoned => self,
            Act::Archive => Self { row: Standing { archived: true, ..row }, by: number },
            Act::Unarchive => Self { row: Standing { archived: false, ..row }, by },
            Act::Tombstone => {
                Self { row: Standing { archived: false, tombstoned: true, ..row }, by: number }
            }
            Act::Truncate { before, summary } if before > row.first => {
                Self { row: Standing { first: before, summary, ..row }, by }
            }
            Act::Truncate { .. } => self,
        })
    }
}

impl Simulation {
    pub(super) fn mark(&mut self) {
        let stream = self.rng.u32(..STREAMS);
        let version = self.store.version(stream);
        let act = match self.rng.u8(0..10) {
            // Most streams are open at most times, as those of a store are.
            0..2 => Act::Archive,
            2..8 => Act::Unarchive,
            8 if stream >= STREAMS - MORTAL => Act::Tombstone,
            _ => {
                Act::Truncate { before: self.rng.u64(1..=version.max(1)), summary: self.rng.bool() }
            }
        };
        let (number, begun, lost) = (self.number(), self.before(), self.rng.u8(..) < 40);
        let mut answer = Answer::Refused;
        // One whose question was lost has no effect.
        let arrives = !lost || self.rng.bool();
        let stand = self.store.stands[stream as usize];
        if let Some(after) = stand.after(act, number, version)
            && arrives
            && self.store.is_free(stream)
        {
            answer = if after.row == stand.row { Answer::AsBefore } else { Answer::Made };
            self.store.stands[stream as usize] = after;
            if answer == Answer::Made {
                let of_stream = self.store.marks.iter().filter(|stored| stored.stream == stream);
                let order = of_stream.count() as u64 + 1;
                self.store.marks.push(StoredMark { stream, order, act, number });
            }
        }
        let answer = if lost { Answer::Unknown } else { answer };
        let ended = if lost && self.rng.bool() { begun + 1 } else { self.after() };
        self.history.markings.push(Marking { number, stream, act, begun, ended, answer });
    }

    pub(super) fn look(&mut self) {
        let stream = self.rng.u32(..STREAMS);
        let (begun, ended) = (self.before(), self.after());
        let Stand { row, by } = self.store.stands[stream as usize];
        let found = if row.tombstoned {
            Found::Tombstoned { by }
        } else {
            let events = self.store.events();
            let seen = events.iter().filter(|s| s.stream == stream && s.version >= row.first);
            let events = seen.map(|stored| (stored.version, stored.mark)).collect();
            let version = self.store.version(stream);
            Found::Events { first: row.first, version, summary: row.summary, events }
        };
        self.history.reads.push(StreamRead { stream, begun, ended, found });
    }

    pub(super) fn tell_marks(&self, truth: &mut Truth) {
        truth.marks.clone_from(&self.store.marks);
        let rows = self.store.stands.iter().map(|stand| stand.row);
        truth.standings = rows.collect();
    }
}
