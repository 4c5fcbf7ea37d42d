//! A pair: callers of ours beside those of the limit, in turn on the same server.

use crate::Failure;
use crate::callers::{Caller, Rounds, drive};
use crate::run::Run;

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

impl<O: Caller, L: Caller> Pair<O, L> {
    pub fn new(ours: Vec<O>, limit: Vec<L>) -> Self {
        Self { ours, limit, measured: Rounds::default(), limit_measured: Rounds::default() }
    }

    /// Both sides once. Round 0 opens connections and prepares statements, and is not counted.
    pub async fn round(&mut self, run: &Run<'_>, round: usize) -> Result<Did, Failure> {
        let time = if round == 0 { run.warming() } else { run.arguments.time() };
        let watch = run.machine.quiet().await?;
        let (ours, callers) = drive(std::mem::take(&mut self.ours), time).await?;
        self.ours = callers;
        let (limit, callers) = drive(std::mem::take(&mut self.limit), time).await?;
        self.limit = callers;
        watch.end()?;
        let did = Did { ours: ours.events, limit: limit.events };
        if round > 0 {
            self.measured.push(ours);
            self.limit_measured.push(limit);
        }
        Ok(did)
    }
}
