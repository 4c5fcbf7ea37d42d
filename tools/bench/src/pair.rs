//! A pair: callers of ours beside those of the limit, on the same server, by turns the first.

use crate::Failure;
use crate::callers::{Caller, Rounds, drive};
use crate::run::{Run, in_turn};

pub struct Pair<O, L> {
    pub ours: Vec<O>,
    pub limit: Vec<L>,
    pub measured: Rounds,
    pub limit_measured: Rounds,
}

/// How many events each side did in a round, in time or not.
#[derive(Clone, Copy, Debug, Default)]
pub struct Did {
    pub ours: u64,
    pub limit: u64,
}

#[derive(Clone, Copy)]
enum Side {
    Ours,
    Limit,
}

impl<O: Caller, L: Caller> Pair<O, L> {
    pub fn new(ours: Vec<O>, limit: Vec<L>) -> Self {
        Self { ours, limit, measured: Rounds::default(), limit_measured: Rounds::default() }
    }

    /// Both sides once. Round 0 opens connections and prepares statements, and is not counted.
    pub async fn round(&mut self, run: &Run<'_>, round: usize) -> Result<Did, Failure> {
        let time = if round == 0 { run.warming() } else { run.arguments.time() };
        let mut did = Did::default();
        for side in in_turn(round, [Side::Ours, Side::Limit]) {
            run.checkpoint().await?;
            let watch = run.machine.quiet().await?;
            let (measured, rounds) = match side {
                Side::Ours => {
                    let (measured, callers) = drive(std::mem::take(&mut self.ours), time).await?;
                    self.ours = callers;
                    did.ours = measured.events;
                    (measured, &mut self.measured)
                }
                Side::Limit => {
                    let (measured, callers) = drive(std::mem::take(&mut self.limit), time).await?;
                    self.limit = callers;
                    did.limit = measured.events;
                    (measured, &mut self.limit_measured)
                }
            };
            watch.end()?;
            if round > 0 {
                rounds.push(measured);
            }
        }
        Ok(did)
    }
}
