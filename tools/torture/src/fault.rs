//! Faults: what is done to the server, to the way to it, to its sessions and to the workers. Each
//! lasts a few seconds, heals what it did, and is recorded from its first harm to its end.

mod heal;
mod network;
mod prepared;
mod process;
mod session;
mod setting;
pub(crate) mod tamper;
mod transaction;

use std::time::Duration;

use fastrand::Rng;
use tokio::time::timeout;

use crate::field::{Field, Missed};
use crate::history::Moment;
use crate::recorder::Recorder;

/// Longer than any fault with the recovery of a server on a busy machine.
const LONGEST: Duration = Duration::from_secs(150);
/// For one statement, or one session.
const SHORT: Duration = Duration::from_secs(5);

/// The kinds of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// SIGKILL of a worker process, and another one in its place a moment later.
    KillWorker,
    /// SIGSTOP of a worker process until its leases have run out, then SIGCONT.
    PauseWorker,
    /// The end of some sessions, as an administrator ends them.
    TerminateBackend,
    /// SIGKILL of one backend: the server ends all sessions and recovers by itself.
    KillBackend,
    /// Running statements are cancelled.
    CancelBackend,
    /// SIGKILL of the server with all its processes, and a start a moment later.
    KillServer,
    /// Commits are done and their answers lost.
    CutCommit,
    /// The answers to autocommitted appends, or to anything, are lost.
    CutAnswer,
    /// Nothing gets through for a while; then it does, or the connections end.
    Blackhole,
    /// Everything arrives in crumbs.
    SplitPackets,
    /// A transaction that writes is open in another database.
    ForeignTransaction,
    /// A transaction that writes, and appends nothing, is open in the events' database.
    LongTransaction,
    /// A transaction with an append in it is prepared, and resolved later; at times the server is
    /// killed in between.
    Prepared,
    /// All connections that the server has are taken.
    PoolExhaustion,
    /// New sessions have a limit of a few milliseconds on statements.
    StatementTimeout,
    /// New sessions hardly wait for locks, and stream rows are locked.
    LockTimeout,
    /// New sessions are serializable unless they say otherwise.
    SerializationStorm,
    /// Stream rows are locked in opposite orders.
    DeadlockStorm,
    /// Checkpoint, vacuum and analyze.
    Maintenance,
    /// Statements that would change what is stored, under roles that must not.
    Tamper,
}

impl Kind {
    pub const ALL: [Self; 20] = [
        Self::KillWorker,
        Self::PauseWorker,
        Self::TerminateBackend,
        Self::KillBackend,
        Self::CancelBackend,
        Self::KillServer,
        Self::CutCommit,
        Self::CutAnswer,
        Self::Blackhole,
        Self::SplitPackets,
        Self::ForeignTransaction,
        Self::LongTransaction,
        Self::Prepared,
        Self::PoolExhaustion,
        Self::StatementTimeout,
        Self::LockTimeout,
        Self::SerializationStorm,
        Self::DeadlockStorm,
        Self::Maintenance,
        Self::Tamper,
    ];

    /// As it is counted and asked for.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::KillWorker => "kill-worker",
            Self::PauseWorker => "pause-worker",
            Self::TerminateBackend => "terminate-backend",
            Self::KillBackend => "kill-backend",
            Self::CancelBackend => "cancel-backend",
            Self::KillServer => "kill-server",
            Self::CutCommit => "cut-commit",
            Self::CutAnswer => "cut-answer",
            Self::Blackhole => "blackhole",
            Self::SplitPackets => "split-packets",
            Self::ForeignTransaction => "foreign-transaction",
            Self::LongTransaction => "long-transaction",
            Self::Prepared => "prepared",
            Self::PoolExhaustion => "pool-exhaustion",
            Self::StatementTimeout => "statement-timeout",
            Self::LockTimeout => "lock-timeout",
            Self::SerializationStorm => "serialization-storm",
            Self::DeadlockStorm => "deadlock-storm",
            Self::Maintenance => "maintenance",
            Self::Tamper => "tamper",
        }
    }

    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether it kills a process: those are counted apart.
    #[must_use]
    pub const fn kills(self) -> bool {
        matches!(self, Self::KillWorker | Self::KillBackend | Self::KillServer)
    }

    /// Strikes once, and heals. A future that is dropped before its end leaves the healing to
    /// [`Field::heal`], and is recorded all the same.
    ///
    /// # Errors
    ///
    /// The fault came to nothing, or not to all it was meant to: there was nothing to strike, or
    /// another fault was in its way. What it did is recorded and healed as far as it could be.
    pub async fn strike(self, field: &Field, mut rng: Rng) -> Result<(), Missed> {
        let begun = field.recorder.now();
        let mut strike = Strike { recorder: &field.recorder, kind: self, begun, detail: None };
        let struck = Box::pin(self.run(field, &mut rng, &mut strike));
        match timeout(LONGEST, struck).await {
            Ok(ended) => ended,
            Err(_) => Err(Missed(format!("{} took too long", self.name()))),
        }
    }

    async fn run(
        self,
        field: &Field,
        rng: &mut Rng,
        strike: &mut Strike<'_>,
    ) -> Result<(), Missed> {
        match self {
            Self::KillWorker => process::kill_worker(field, rng, strike).await,
            Self::PauseWorker => process::pause_worker(field, rng, strike).await,
            Self::TerminateBackend => session::terminate(field, rng, strike).await,
            Self::KillBackend => process::kill_backend(field, rng, strike).await,
            Self::CancelBackend => session::cancel(field, rng, strike).await,
            Self::KillServer => process::kill_server(field, rng, strike).await,
            Self::CutCommit => network::cut_commits(field, rng, strike).await,
            Self::CutAnswer => network::cut_answers(field, rng, strike).await,
            Self::Blackhole => network::blackhole(field, rng, strike).await,
            Self::SplitPackets => network::split(field, rng, strike).await,
            Self::ForeignTransaction => transaction::foreign(field, rng, strike).await,
            Self::LongTransaction => transaction::long(field, rng, strike).await,
            Self::Prepared => prepared::leave(field, rng, strike).await,
            Self::PoolExhaustion => session::exhaust(field, rng, strike).await,
            Self::StatementTimeout => setting::statement_timeout(field, rng, strike).await,
            Self::LockTimeout => setting::lock_timeout(field, rng, strike).await,
            Self::SerializationStorm => setting::serializable(field, rng, strike).await,
            Self::DeadlockStorm => transaction::deadlocks(field, rng, strike).await,
            Self::Maintenance => session::maintain(field, rng, strike).await,
            Self::Tamper => tamper::strike(field, strike).await,
        }
    }
}

/// A fault under way. It is recorded when it ends, also by being dropped, if it did any harm.
struct Strike<'a> {
    recorder: &'a Recorder,
    kind: Kind,
    begun: Moment,
    detail: Option<String>,
}

impl Strike<'_> {
    /// From now on it counts; the last detail stands.
    fn harm(&mut self, detail: impl Into<String>) {
        self.detail = Some(detail.into());
    }
}

impl Drop for Strike<'_> {
    fn drop(&mut self) {
        if let Some(detail) = self.detail.take() {
            self.recorder.fault(self.kind.name(), self.begun, detail);
        }
    }
}

/// A random time.
fn between(rng: &mut Rng, least_ms: u64, most_ms: u64) -> Duration {
    Duration::from_millis(rng.u64(least_ms..=most_ms))
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
