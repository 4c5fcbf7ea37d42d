//! The workers of a process: claiming slice classes, keeping their leases, and ending well.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use foldlog_core::{Error, ErrorKind};
use futures_util::FutureExt as _;
use sqlx::PgConnection;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::checkpoint::{self, Claim, Held, Owner};
use crate::registered::Registered;
use crate::worker::{Shared, Worker};

/// How the workers of a process behave.
#[derive(Clone, Debug)]
pub struct Workers {
    lease: Duration,
    claims_max: usize,
    drain: Duration,
}

impl Default for Workers {
    /// Leases of 6 s, any number of classes, 8 s to end.
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(6),
            claims_max: usize::MAX,
            drain: Duration::from_secs(8),
        }
    }
}

impl Workers {
    /// How long a class stays with a process that no longer renews its lease, by the clock of the
    /// server: how long a view stands still after a process was killed. At least 0.1 s.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease.max(Duration::from_millis(100));
        self
    }

    /// How many slice classes, over all projections, this process takes at most.
    #[must_use]
    pub fn claims_max(mut self, claims: usize) -> Self {
        self.claims_max = claims;
        self
    }

    /// How long batches that are under way may take to finish at a shutdown; after that they are
    /// abandoned, which loses nothing. Keep it below the grace period of whoever stops the process.
    #[must_use]
    pub fn drain(mut self, drain: Duration) -> Self {
        self.drain = drain;
        self
    }
}

/// How long a round of leases may take at least.
const ROUND_MIN: Duration = Duration::from_secs(5);

fn unanswered() -> Error {
    Error::new(ErrorKind::Unavailable, "the server did not answer while leases were renewed")
}

/// The workers under way.
struct Running {
    tasks: JoinSet<()>,
    held: HashMap<Held, CancellationToken>,
    // What each task works on: a task that died can't say so itself.
    of_task: HashMap<tokio::task::Id, Held>,
}

/// Claims and works until `shutdown`, then lets batches finish and releases what it holds.
pub(crate) async fn run(
    shared: &Shared,
    registered: &[Arc<Registered>],
    options: &Workers,
    owner_id: &str,
    shutdown: &CancellationToken,
) {
    let owner = Owner { id: owner_id.to_owned(), lease_s: options.lease.as_secs_f64() };
    let mut running =
        Running { tasks: JoinSet::new(), held: HashMap::new(), of_task: HashMap::new() };
    let mut conn = None;
    // A start is an order to try again what stopped before.
    let mut stopped_too = true;
    let interval = (options.lease / 3).min(Duration::from_secs(1));
    loop {
        let round = async {
            let conn = session(shared, &mut conn).await?;
            running.renew(conn, &owner).await?;
            running.claim(conn, shared, registered, &owner, options.claims_max, stopped_too).await
        };
        // A server that vanished says nothing; a claim that was under way then runs out by itself.
        let round = tokio::time::timeout(options.lease.max(ROUND_MIN), round);
        let round = shutdown.run_until_cancelled(round).await;
        match round.map(|round| round.unwrap_or_else(|_| Err(unanswered()))) {
            None => break,
            Some(Ok(())) => stopped_too = false,
            Some(Err(error)) => {
                tracing::warn!(%error, "leases were not renewed; it is tried again");
                conn = None;
            }
        }
        let pause = tokio::time::sleep(interval);
        tokio::select! {
            () = shutdown.cancelled() => break,
            () = pause => {}
            Some(ended) = running.tasks.join_next_with_id() => running.ended(ended),
        }
    }
    running.drain(options.drain).await;
    // What a broken-off claim may have left.
    let released = async {
        let mut conn = shared.db.session("foldlog leases").await?;
        checkpoint::release_all(&mut conn, owner_id).await
    };
    if let Err(error) = released.await {
        tracing::warn!(%error, "leases have to run out by themselves");
    }
}

/// The connection for leases; a new one after an error, for who knows what the old one is up to.
async fn session<'a>(
    shared: &Shared,
    conn: &'a mut Option<PgConnection>,
) -> Result<&'a mut PgConnection, Error> {
    match conn {
        Some(conn) => Ok(conn),
        None => Ok(conn.insert(shared.db.session("foldlog leases").await?)),
    }
}

impl Running {
    /// Renews every lease in one statement, and ends the workers whose class was lost.
    async fn renew(&mut self, conn: &mut PgConnection, owner: &Owner) -> Result<(), Error> {
        let held: Vec<Held> = self.held.keys().copied().collect();
        if held.is_empty() {
            return Ok(());
        }
        let owned = checkpoint::renew(conn, owner, &held).await?;
        for (held, stop) in &self.held {
            if !owned.contains(held) {
                stop.cancel();
            }
        }
        Ok(())
    }

    async fn claim(
        &mut self,
        conn: &mut PgConnection,
        shared: &Shared,
        registered: &[Arc<Registered>],
        owner: &Owner,
        claims_max: usize,
        stopped_too: bool,
    ) -> Result<(), Error> {
        for registered in registered {
            let free = claims_max.saturating_sub(self.held.len());
            if free == 0 {
                return Ok(());
            }
            let limit = i64::try_from(free).unwrap_or(i64::MAX);
            let claims =
                Claim::take(&mut *conn, registered.name, owner, limit, stopped_too).await?;
            for claim in claims {
                self.spawn(shared, registered, claim);
            }
        }
        Ok(())
    }

    fn spawn(&mut self, shared: &Shared, registered: &Arc<Registered>, claim: Claim) {
        if claim.attempts > 1 {
            tracing::warn!(
                projection = claim.name.name, class = %claim.class, attempts = claim.attempts,
                "claimed again without progress: did the last worker crash?"
            );
        }
        let held = (claim.name, claim.class, claim.epoch);
        let stop = CancellationToken::new();
        self.held.insert(held, stop.clone());
        let worker = Worker { shared: shared.clone(), registered: registered.clone(), claim };
        let task = self.tasks.spawn(async move {
            // The user's code is contained further in; a panic out here is a bug of foldlog, and
            // must not leave a class that nobody works on with a lease that somebody renews.
            if AssertUnwindSafe(worker.run(stop)).catch_unwind().await.is_err() {
                tracing::error!(projection = held.0.name, class = %held.1, "a worker panicked");
            }
        });
        self.of_task.insert(task.id(), held);
    }

    fn ended(&mut self, ended: Result<(tokio::task::Id, ()), tokio::task::JoinError>) {
        let task = match ended {
            Ok((task, ())) => task,
            Err(error) => {
                tracing::error!(%error, "a worker died");
                error.id()
            }
        };
        if let Some(held) = self.of_task.remove(&task) {
            self.held.remove(&held);
        }
    }

    async fn drain(&mut self, within: Duration) {
        for stop in self.held.values() {
            stop.cancel();
        }
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(within, all).await.is_err() {
            tracing::warn!("batches took longer than {within:?} to finish and are abandoned");
        }
        self.tasks.shutdown().await;
    }
}
