//! A tiny correct store and all who use it, in one thread: what it records must yield no finding.
//!
//! Every step has its effect at one moment, and the call that is recorded spans that moment. So the
//! calls overlap as they please, and the order of the effects is a correct one.

mod decisions;
mod markers;
mod store;
mod watchers;
mod workers;
mod writers;

use std::collections::HashMap;

use fastrand::Rng;

pub(super) use self::markers::Stand;
use self::store::{Open, Store};
use self::watchers::Reader;
use self::workers::Work;
use crate::history::{Append, Fault, History, Moment, Truth};

/// Between two effects: a millisecond.
const STEP: Moment = 1_000_000;
const STREAMS: u32 = 12;

pub(super) struct Simulation {
    rng: Rng,
    now: Moment,
    store: Store,
    open: Vec<Open>,
    /// Requests that may be repeated: of most nobody knows whether they were made.
    unsettled: Vec<Append>,
    readers: Vec<Reader>,
    work: Work,
    /// What had been committed when: the highest position.
    committed: Vec<(Moment, u64)>,
    numbers: u64,
    history: History,
}

/// A history of so many steps, and how it ended.
pub(super) fn run(seed: u64, steps: usize) -> (History, Truth) {
    let mut simulation = Simulation::new(seed);
    for _ in 0..steps {
        simulation.step();
    }
    simulation.finish()
}

impl Simulation {
    fn new(seed: u64) -> Self {
        let name = |number| match number {
            0 => "ledger-0".to_owned(),
            _ => format!("account-{number}"),
        };
        let history = History { streams: (0..STREAMS).map(name).collect(), ..History::default() };
        Self {
            rng: Rng::with_seed(seed),
            now: 10 * STEP,
            store: Store::new(STREAMS),
            open: Vec::new(),
            unsettled: Vec::new(),
            readers: (0..3).map(Reader::new).collect(),
            work: Work::default(),
            committed: Vec::new(),
            numbers: 0,
            history,
        }
    }

    fn step(&mut self) {
        self.now += STEP;
        match self.rng.u32(0..1_000) {
            0..350 => self.begin(),
            350..600 => self.close(),
            600..640 => self.decide(),
            640..700 => self.append_more(),
            700..750 => self.repeat(),
            750..800 => self.read(),
            800..870 => self.load(),
            870..885 => self.sum(),
            885..890 => self.look(),
            890..905 => self.mark(),
            905..970 => self.project(),
            970..990 => self.shoot(),
            990..995 => self.stall(),
            995..998 => self.release_readers(),
            _ => self.crash(),
        }
    }

    /// A call that began up to so many steps before now.
    fn before(&mut self) -> Moment {
        let reach = self.rng.u64(1..8 * STEP);
        self.now - reach
    }

    fn after(&mut self) -> Moment {
        self.now + self.rng.u64(1..8 * STEP)
    }

    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// The server dies: what is open is gone, what was drawn for it may be drawn again.
    fn crash(&mut self) {
        let (begun, ended) = (self.before(), self.after());
        let detail = "the server dies and comes back".to_owned();
        self.history.faults.push(Fault { kind: "kill-server", begun, ended, detail });
        for open in std::mem::take(&mut self.open) {
            self.store.release(&open);
            self.lose(open);
        }
        let floor = self.store.last_stored().max(self.work.furthest());
        self.store.last = self.rng.u64(floor..=self.store.last);
        self.release_readers();
    }

    fn finish(mut self) -> (History, Truth) {
        while !self.open.is_empty() {
            self.now += STEP;
            self.close();
        }
        while self.readers.iter().any(|reader| reader.delivered() < self.store.last_stored()) {
            self.now += STEP;
            self.read();
        }
        self.project_all();
        self.now += STEP;
        self.poison();
        let mut truth = Truth { events: self.store.events(), ..Truth::default() };
        self.tell_marks(&mut truth);
        self.work.tell(&self.history, &mut truth);
        (self.history, truth)
    }

    /// The highest position that could be known at a moment.
    fn known_at(&self, moment: Moment) -> u64 {
        let place = self.committed.partition_point(|(at, _)| *at < moment);
        place.checked_sub(1).map_or(0, |last| self.committed[last].1)
    }

    fn name(&self, stream: u32) -> String {
        self.history.streams[stream as usize].clone()
    }
}

/// The answers to each request that was made: versions and positions.
type Receipts = HashMap<u64, (Vec<u64>, Vec<u64>)>;
