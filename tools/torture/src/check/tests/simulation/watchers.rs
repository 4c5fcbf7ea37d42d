//! Readers of the settled order in lives, loads, sums, and what is held open on purpose.

use super::{STREAMS, Simulation};
use crate::history::{Load, LoadKind, Page, Poison, Seen, Stall, Stored, Sum};

pub(super) struct Reader {
    number: u32,
    life: u32,
    through: u64,
    delivered: u64,
}

impl Reader {
    pub(super) fn new(number: u32) -> Self {
        Self { number, life: 0, through: 0, delivered: 0 }
    }

    pub(super) fn delivered(&self) -> u64 {
        self.delivered
    }
}

impl Simulation {
    pub(super) fn read(&mut self) {
        let settled = self.store.settled(&self.open);
        let (begun, ended) = (self.before(), self.after());
        let (which, limit) = (self.rng.usize(..self.readers.len()), self.rng.usize(1..40));
        let reader = &mut self.readers[which];
        let after = reader.through;
        let events: Vec<Seen> =
            self.store.between(after, settled).take(limit).map(delivered).collect();
        let through = match events.last() {
            Some(last) if events.len() == limit => last.position,
            _ => settled.max(after),
        };
        reader.through = through;
        reader.delivered = events.last().map_or(reader.delivered, |seen| seen.position);
        let (reader, life) = (reader.number, reader.life);
        // Pages of one reader follow one another.
        let previous = self.history.pages.iter().rev().find(|page| page.reader == reader);
        let begun = begun.max(previous.map_or(0, |page| page.ended.min(self.now)));
        let ended = ended.min(self.now + 1);
        self.history.pages.push(Page { reader, life, begun, ended, after, through, events });
    }

    /// Every reader loses its session.
    pub(super) fn release_readers(&mut self) {
        for reader in &mut self.readers {
            reader.life += 1;
            reader.through = reader.delivered;
        }
    }

    pub(super) fn load(&mut self) {
        let stream = self.rng.u32(1..STREAMS);
        let (begun, ended) = (self.before(), self.after());
        let kind = match self.rng.u8(0..4) {
            0 => LoadKind::State,
            1 => LoadKind::Fresh,
            2 => LoadKind::AsItIs,
            _ => LoadKind::AtLeast(self.rng.u64(0..=self.work.balance_at(stream))),
        };
        let (version, cents) = match kind {
            LoadKind::State | LoadKind::Fresh => self.store.fold(stream),
            LoadKind::AsItIs | LoadKind::AtLeast(_) => {
                let (cents, events) = self.work.balance(&self.name(stream));
                (events, cents)
            }
        };
        self.history.loads.push(Load { kind, begun, ended, stream, version, cents });
    }

    pub(super) fn sum(&mut self) {
        let (begun, ended) = (self.before(), self.after());
        let (cents, events) = self.store.total();
        self.history.sums.push(Sum { begun, ended, cents, events });
    }

    pub(super) fn stall(&mut self) {
        let appends = self.rng.bool();
        let acknowledged = self.store.last_stored();
        let (opened, closed) = (self.before(), self.after());
        self.history.stalls.push(Stall {
            holder: "17".to_owned(),
            opened,
            closed,
            named: if appends { "backend 17, idle".to_owned() } else { String::new() },
            appends,
            before: 0,
            reached: if appends { 0 } else { acknowledged },
            acknowledged,
        });
    }

    pub(super) fn poison(&mut self) {
        let events = self.store.events();
        let Some(stored) = events.get(self.rng.usize(..events.len().max(1))) else { return };
        self.history.poisons.push(Poison {
            projection: "scribe".to_owned(),
            mark: stored.mark,
            stream: stored.stream,
            stopped_at: Some(stored.position),
            others_moved: true,
        });
    }
}

fn delivered(stored: &Stored) -> Seen {
    let Stored { position, stream, version, mark, intact, .. } = *stored;
    Seen { position, stream, version, mark, intact }
}
