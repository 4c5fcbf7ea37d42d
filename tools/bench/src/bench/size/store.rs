//! A store of one size, that keeps it: what is measured may add little to what is there.

use std::time::{Duration, Instant};

use crate::Failure;
use crate::bed::Bed;
use crate::bench::append::Appender;
use crate::bench::command::{Commander, LOADED, loaded_mean};
use crate::callers::{Measured, Rounds, drive_at_most};
use crate::run::{Run, in_turn};
use crate::streams::{Accounts, Untouched};

/// What a command loads from a stream that has not grown yet.
pub const EVENTS_OF_STREAM: i64 = LOADED.cast_signed();
/// A smaller store is made anew for each pass: it is made in a moment, and grows in another.
const KEPT_MIN: i64 = 200_000;
const KEPT_MIN_SMOKE: i64 = 5_000;
/// A small store has several passes in a round, for each of them is short.
const PASSES: usize = 3;
/// Each side of a pass adds at most one event to so many of the store, and fewer to warm up.
const OF_SIZE: i64 = 5;
const OF_SIZE_WARMING: i64 = 20;

/// A size with what was measured on stores of it.
pub struct Store {
    pub size: i64,
    pub clients: usize,
    /// Of the last one that was made.
    pub filled_s: f64,
    pub connections: u32,
    /// Before the first call, and after the last on the one that grew most.
    pub events_at_the_start: i64,
    pub events_at_the_end: i64,
    /// By the median of passes; how many events a command loaded in the last.
    pub appended: Rounds,
    pub executed: Rounds,
    pub loaded_mean: f64,
    kept: Option<Filled>,
}

/// Appends go to the first half of its streams, commands to the others; all of them may grow.
struct Filled {
    bed: Bed,
    events: i64,
    appenders: Vec<Appender>,
    commanders: Vec<Commander>,
}

#[derive(Clone, Copy)]
enum Side {
    Append,
    Command,
}

impl Store {
    pub async fn new(run: &Run<'_>, size: i64, clients: usize) -> Result<Self, Failure> {
        let mut store = Self {
            size,
            clients,
            filled_s: 0.0,
            connections: 0,
            events_at_the_start: 0,
            events_at_the_end: 0,
            appended: Rounds::default(),
            executed: Rounds::default(),
            loaded_mean: 0.0,
            kept: None,
        };
        if size >= if run.arguments.smoke { KEPT_MIN_SMOKE } else { KEPT_MIN } {
            store.kept = Some(store.fill(run).await?);
        }
        Ok(store)
    }

    /// Appends and commands. Round 0 only warms up.
    pub async fn round(&mut self, run: &Run<'_>, round: usize) -> Result<(), Failure> {
        if let Some(mut kept) = self.kept.take() {
            let counted = round > 0;
            let time = if counted { run.arguments.time() } else { run.warming() };
            self.pass(run, &mut kept, round, (time, OF_SIZE, counted)).await?;
            self.kept = Some(kept);
            return Ok(());
        }
        let passes = if run.arguments.smoke { 1 } else { PASSES };
        // One that is made anew is warmed up anew.
        for place in 0..if round > 0 { passes } else { 0 } {
            let mut made = self.fill(run).await?;
            self.pass(run, &mut made, 0, (run.warming(), OF_SIZE_WARMING, false)).await?;
            let time = run.arguments.time();
            self.pass(run, &mut made, round + place, (time, OF_SIZE, true)).await?;
            made.close(run).await?;
        }
        Ok(())
    }

    pub async fn close(self, run: &Run<'_>) -> Result<(), Failure> {
        match self.kept {
            Some(kept) => kept.close(run).await,
            None => Ok(()),
        }
    }

    async fn fill(&mut self, run: &Run<'_>) -> Result<Filled, Failure> {
        let bed = Bed::open(run.server, &format!("size_{}", self.size)).await?;
        let streams = self.size / EVENTS_OF_STREAM;
        let begun = Instant::now();
        bed.fill(Accounts { first: 0, count: streams, version: LOADED }).await?;
        self.filled_s = begun.elapsed().as_secs_f64();
        self.connections = bed.connections();
        self.events_at_the_start = streams * EVENTS_OF_STREAM;
        let half = streams / 2;
        let appended = Accounts { first: 0, count: half, version: LOADED };
        let executed = Accounts { first: half, count: streams - half, version: LOADED };
        Ok(Filled {
            events: streams * EVENTS_OF_STREAM,
            appenders: Appender::several(bed.app(), appended, self.clients),
            commanders: Commander::several(bed.app(), &Untouched::new(executed), self.clients),
            bed,
        })
    }

    /// Both sides, each for the time or until it has added its part of the size.
    async fn pass(
        &mut self,
        run: &Run<'_>,
        filled: &mut Filled,
        round: usize,
        (time, of_size, counted): (Duration, i64, bool),
    ) -> Result<(), Failure> {
        let calls = u64::try_from(self.size / of_size)?.max(1);
        for side in in_turn(round, [Side::Append, Side::Command]) {
            run.checkpoint().await?;
            let watch = run.machine.quiet().await?;
            let measured = filled.drive(side, time, calls).await?;
            watch.end()?;
            if counted {
                let rounds = match side {
                    Side::Append => &mut self.appended,
                    Side::Command => &mut self.executed,
                };
                rounds.push(measured);
            }
        }
        self.events_at_the_end = self.events_at_the_end.max(filled.events);
        self.loaded_mean = loaded_mean(&filled.commanders);
        Ok(())
    }
}

impl Filled {
    async fn drive(&mut self, side: Side, time: Duration, calls: u64) -> Result<Measured, Failure> {
        let measured = match side {
            Side::Append => {
                let callers = std::mem::take(&mut self.appenders);
                let (measured, callers) = drive_at_most(callers, time, calls).await?;
                self.appenders = callers;
                measured
            }
            Side::Command => {
                let callers = std::mem::take(&mut self.commanders);
                let (measured, callers) = drive_at_most(callers, time, calls).await?;
                self.commanders = callers;
                measured
            }
        };
        self.events += i64::try_from(measured.events)?;
        Ok(measured)
    }

    /// Checks that it holds what was acknowledged, and drops it.
    async fn close(self, run: &Run<'_>) -> Result<(), Failure> {
        let Self { bed, events, appenders, commanders } = self;
        drop((appenders, commanders));
        bed.check(events).await?;
        bed.close(run.server).await
    }
}
