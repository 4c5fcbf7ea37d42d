//! Callers: whoever does the same thing over and over while the clock runs.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::Failure;
use crate::figures::{Latencies, median};

/// One of several that work at the same time.
pub trait Caller: Send + 'static {
    /// Works once; answers with how many events that were.
    fn call(&mut self) -> impl Future<Output = Result<u64, Failure>> + Send;
}

/// What one round of one side came to.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// Events done within the time, per second.
    pub per_s: f64,
    /// Events done at all: the last call of each caller ends after the time is over.
    pub events: u64,
    pub latencies: Latencies,
}

/// What several rounds of one side come to: the median of each figure.
#[derive(Clone, Debug, Default)]
pub struct Rounds(Vec<Measured>);

impl Rounds {
    pub fn push(&mut self, measured: Measured) {
        self.0.push(measured);
    }

    pub fn per_s(&self) -> f64 {
        median(self.0.iter().map(|round| round.per_s))
    }

    pub fn p50_ms(&self) -> f64 {
        median(self.0.iter().map(|round| round.latencies.percentile_ms(0.5)))
    }

    pub fn p99_ms(&self) -> f64 {
        median(self.0.iter().map(|round| round.latencies.percentile_ms(0.99)))
    }

    pub fn longest_ms(&self) -> f64 {
        median(self.0.iter().map(|round| round.latencies.longest_ms()))
    }
}

struct Done<C> {
    caller: C,
    events: u64,
    in_time: u64,
    latencies: Latencies,
}

/// Lets the callers work at the same time, and gives them back with what they came to.
pub async fn drive<C: Caller>(
    callers: Vec<C>,
    time: Duration,
) -> Result<(Measured, Vec<C>), Failure> {
    let until = Instant::now() + time;
    let mut tasks = JoinSet::new();
    for caller in callers {
        tasks.spawn(work(caller, until));
    }
    let mut measured = Measured::default();
    let mut in_time = 0;
    let mut callers = Vec::new();
    while let Some(done) = tasks.join_next().await {
        let done = done??;
        in_time += done.in_time;
        measured.events += done.events;
        measured.latencies.add(&done.latencies);
        callers.push(done.caller);
    }
    measured.per_s = in_time as f64 / time.as_secs_f64();
    Ok((measured, callers))
}

async fn work<C: Caller>(mut caller: C, until: Instant) -> Result<Done<C>, Failure> {
    let (mut events, mut in_time, mut latencies) = (0, 0, Latencies::default());
    let mut begun = Instant::now();
    while begun < until {
        let done = caller.call().await?;
        let ended = Instant::now();
        latencies.record(ended - begun);
        events += done;
        if ended <= until {
            in_time += done;
        }
        begun = ended;
    }
    Ok(Done { caller, events, in_time, latencies })
}
