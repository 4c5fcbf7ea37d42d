//! Callers: whoever does the same thing over and over while the clock runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
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

/// When callers stop: at the end of the time, or earlier, after so many calls of all together.
#[derive(Clone, Debug)]
struct Bound {
    until: Instant,
    calls_left: Arc<AtomicU64>,
}

impl Bound {
    /// Whether there is another call to do.
    fn draw(&self, now: Instant) -> bool {
        let fewer = |left: u64| left.checked_sub(1);
        now < self.until
            && self.calls_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fewer).is_ok()
    }

    fn is_used_up(&self) -> bool {
        self.calls_left.load(Ordering::Relaxed) == 0
    }
}

/// Lets the callers work at the same time, and gives them back with what they came to.
pub async fn drive<C: Caller>(
    callers: Vec<C>,
    time: Duration,
) -> Result<(Measured, Vec<C>), Failure> {
    drive_at_most(callers, time, u64::MAX).await
}

/// The same for the time, or for so many calls if they are done before.
pub async fn drive_at_most<C: Caller>(
    callers: Vec<C>,
    time: Duration,
    calls: u64,
) -> Result<(Measured, Vec<C>), Failure> {
    let begun = Instant::now();
    let bound = Bound { until: begun + time, calls_left: Arc::new(AtomicU64::new(calls)) };
    let mut tasks = JoinSet::new();
    for caller in callers {
        tasks.spawn(work(caller, bound.clone()));
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
    let time = if bound.is_used_up() { begun.elapsed().min(time) } else { time };
    measured.per_s = in_time as f64 / time.as_secs_f64();
    Ok((measured, callers))
}

async fn work<C: Caller>(mut caller: C, bound: Bound) -> Result<Done<C>, Failure> {
    let (mut events, mut in_time, mut latencies) = (0, 0, Latencies::default());
    let mut begun = Instant::now();
    while bound.draw(begun) {
        let done = caller.call().await?;
        let ended = Instant::now();
        latencies.record(ended - begun);
        events += done;
        if ended <= bound.until {
            in_time += done;
        }
        begun = ended;
    }
    Ok(Done { caller, events, in_time, latencies })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fast;

    impl Caller for Fast {
        async fn call(&mut self) -> Result<u64, Failure> {
            tokio::time::sleep(Duration::from_millis(1)).await;
            Ok(1)
        }
    }

    #[tokio::test]
    async fn callers_stop_together_after_so_many_calls() {
        let callers = (0..3).map(|_| Fast).collect();
        let (measured, back) = drive_at_most(callers, Duration::from_secs(600), 10).await.unwrap();
        assert_eq!((measured.events, back.len()), (10, 3));
        // Per second of the calls, and not of the time that was not needed.
        assert!(measured.per_s > 1.0, "{}", measured.per_s);
    }
}
