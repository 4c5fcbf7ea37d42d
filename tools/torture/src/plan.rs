//! The plan of a schedule: all of it follows from the seed.

use std::time::Duration;

use fastrand::Rng;

use crate::bug::Bug;
use crate::fault::Kind;

#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    /// For how long writers write and faults strike.
    pub time: Duration,
    pub writers: u32,
    pub readers: u32,
    pub subscriptions: u32,
    pub lookers: u32,
    pub workers: usize,
    /// The longest rest of a writer between two appends.
    pub rest: Duration,
    /// Small ones fill up while everybody writes.
    pub segment_width: u64,
    pub poison: bool,
    /// When which fault strikes.
    pub strikes: Vec<(Duration, Kind)>,
}

/// No fault strikes before everybody is at work.
const CALM: Duration = Duration::from_millis(700);
/// Long enough for a fault to end, and for a stream to be held.
const REST: Duration = Duration::from_secs(16);

impl Plan {
    /// The plan of a schedule's number under the seed of a run.
    #[must_use]
    pub fn new(run: u64, number: u64, time: Duration) -> Self {
        // A step of splitmix64: neighbouring numbers give unrelated seeds.
        let mut seed = run ^ number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        seed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        seed = (seed ^ (seed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        seed ^= seed >> 31;
        let mut rng = Rng::with_seed(seed);
        let mut plan = Self {
            seed,
            time,
            writers: rng.u32(5..11),
            readers: rng.u32(2..5),
            subscriptions: rng.u32(1..3),
            lookers: 2,
            workers: rng.usize(2..4),
            rest: Duration::from_millis(rng.u64(4..24)),
            segment_width: rng.choice([512, 4_096, 65_536]).unwrap_or(65_536),
            poison: rng.bool(),
            strikes: Vec::new(),
        };
        plan.strikes = strikes(&mut rng, time);
        if rng.u8(..) < 100 {
            plan.rest_a_while();
        }
        plan
    }

    /// In the middle nothing strikes but the workers: then appends that wait have no excuse.
    fn rest_a_while(&mut self) {
        let rest = self.time / 3..self.time / 3 + REST;
        self.strikes.retain(|(at, kind)| !rest.contains(at) || *kind == Kind::KillWorker);
    }

    /// The same with what a planted bug needs to show itself: it is the checker that is tried.
    #[must_use]
    pub fn against(mut self, bug: Bug) -> Self {
        self.poison = false;
        let provoked = match bug {
            Bug::CheckpointOutside => Some((Kind::KillWorker, 2_500)),
            Bug::FenceIgnored => Some((Kind::PauseWorker, 4_000)),
            // Any other fault excuses a slow append.
            Bug::BatchWaitsForStranger => {
                self.strikes.retain(|(_, kind)| *kind == Kind::KillWorker);
                None
            }
            Bug::RetryWithoutIdempotency => Some((Kind::CutAnswer, 800)),
            Bug::ReceiptOutsideTransaction => Some((Kind::TerminateBackend, 500)),
            Bug::AckBeforeCommit => Some((Kind::TerminateBackend, 800)),
            _ => None,
        };
        if let Some((kind, step)) = provoked {
            let step = Duration::from_millis(step);
            let times = (0..u32::MAX).map(|n| CALM + n * step).take_while(|at| *at < self.time);
            self.strikes.extend(times.map(|at| (at, kind)));
            self.strikes.sort_by_key(|(at, _)| *at);
        }
        self
    }
}

fn strikes(rng: &mut Rng, time: Duration) -> Vec<(Duration, Kind)> {
    // Every schedule has its own taste: a third of all kinds, several times each.
    let mut kinds: Vec<Kind> = Kind::ALL.to_vec();
    rng.shuffle(&mut kinds);
    kinds.truncate((Kind::ALL.len() / 3).max(5));
    let pace = rng.u64(800..2_500);
    let mut strikes = Vec::new();
    let mut at = CALM;
    while at < time {
        // Processes die in every schedule.
        let kind = match rng.u8(..) {
            0..36 => Kind::KillWorker,
            36..48 => Kind::KillBackend,
            _ => rng.choice(&kinds).copied().unwrap_or(Kind::KillWorker),
        };
        strikes.push((at, kind));
        at += Duration::from_millis(rng.u64(pace / 4..pace * 2));
    }
    strikes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_plan_again_and_another_seed_another() {
        let plan = |run, number| format!("{:?}", Plan::new(run, number, Duration::from_secs(60)));
        assert_eq!(plan(7, 3), plan(7, 3));
        assert_ne!(plan(7, 3), plan(7, 4));
        assert_ne!(plan(7, 3), plan(8, 3));
    }
}
