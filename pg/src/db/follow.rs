//! Of several hosts, the pool goes where writes are taken.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use foldlog_core::{Error, ErrorKind};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{PgConnection, PgPool, Postgres};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::{APPLICATION, Db, name_of, none_acquired};
use crate::connect::{Endpoint, Target, inspect};

/// How long the pool may be without a connection before the other hosts are asked.
const FOLLOW_AFTER: Duration = Duration::from_secs(1);

/// Has the pool refuse hosts that take no writes now, when it connects and whenever it gives out a
/// connection that was opened while they did.
pub(super) fn judging(pool: PgPoolOptions, endpoint: &Endpoint) -> PgPoolOptions {
    let (target, time) = (endpoint.target, endpoint.connect_timeout);
    pool.after_connect(move |connection, _| Box::pin(judge(connection, target, time)))
        // Instead of the pool's own test, so that it stays one round trip.
        .test_before_acquire(false)
        .before_acquire(move |connection, _| {
            Box::pin(async move { judge(connection, target, time).await.map(|()| true) })
        })
}

/// An error has the pool throw the connection away and open another one. So does silence: the host of
/// an idle connection may be gone without a word.
async fn judge(
    connection: &mut PgConnection,
    target: Target,
    time: Duration,
) -> Result<(), sqlx::Error> {
    let facts = timeout(time, inspect(connection)).await;
    let facts = facts.map_err(|_| sqlx::Error::Io(io::ErrorKind::TimedOut.into()))?;
    let verdict = facts.and_then(|facts| facts.judge("the host of the pool", target));
    verdict.map_err(|error| sqlx::Error::Configuration(error.into()))
}

/// Whether the pool connects by other options than these by now.
fn has_moved(pool: &PgPool, options: &Arc<PgConnectOptions>) -> bool {
    !Arc::ptr_eq(options, &pool.connect_options())
}

impl Db {
    /// A connection of the pool, which follows as long as it has none to give.
    pub(super) async fn acquire_following(&self) -> Result<PoolConnection<Postgres>, Error> {
        let pool = &self.inner.own_pool;
        let until = Instant::now() + pool.options().get_acquire_timeout();
        loop {
            let options = pool.connect_options();
            let error = match timeout_at(until, self.acquire_unless_moved(&options)).await {
                Ok(Some(Ok(connection))) => return Ok(connection),
                Ok(Some(Err(error))) => none_acquired(error),
                // A connection that is under way holds to the host it began with.
                Ok(None) => continue,
                Err(_) => return Err(none_acquired(sqlx::Error::PoolTimedOut)),
            };
            if pool.is_closed() {
                return Err(error);
            }
            // The pool waits for a host that refuses connections, and for none whose name or socket is
            // gone.
            let asked = timeout_at(until, self.follow()).await;
            if has_moved(pool, &options) {
                continue;
            }
            let passes = error.kind() == ErrorKind::Unavailable;
            if asked.is_err() || !passes || Instant::now() + FOLLOW_AFTER > until {
                return Err(error);
            }
            sleep(FOLLOW_AFTER).await;
        }
    }

    /// What the pool gives, or nothing once it leads elsewhere than by these options.
    async fn acquire_unless_moved(
        &self,
        options: &Arc<PgConnectOptions>,
    ) -> Option<Result<PoolConnection<Postgres>, sqlx::Error>> {
        let mut acquiring = pin!(self.inner.own_pool.acquire());
        while !has_moved(&self.inner.own_pool, options) {
            let follow = async {
                sleep(FOLLOW_AFTER).await;
                self.follow().await;
            };
            // Asked beside it, so that it keeps its place among those who wait for a connection.
            tokio::select! {
                biased;
                acquired = &mut acquiring => return Some(acquired),
                () = follow => {}
            }
        }
        None
    }

    /// Moves the pool to the host that takes writes now, if one does.
    async fn follow(&self) {
        // One of those who wait asks, and the others wait for its answer.
        let Ok(_turn) = self.inner.following.try_lock() else {
            drop(self.inner.following.lock().await);
            return;
        };
        match self.inner.endpoint.open(APPLICATION).await {
            Ok(opened) => {
                self.lead_to(&opened.options);
                drop(sqlx::Connection::close(opened.connection).await);
            }
            Err(error) => tracing::debug!(%error, "no host takes writes now"),
        }
    }

    /// Moves the pool to the host of these options, if that is another one.
    pub(super) fn lead_to(&self, new: &PgConnectOptions) {
        let pool = &self.inner.pool;
        let old = pool.connect_options();
        if old.get_host() != new.get_host()
            || old.get_port() != new.get_port()
            || old.get_socket() != new.get_socket()
        {
            let name = name_of(&self.inner.endpoint);
            pool.set_connect_options(new.clone().application_name(name));
            // Those to the old host would be tried first; if it is silent, each for a long time.
            while let Some(idle) = pool.try_acquire() {
                drop(idle.detach());
            }
        }
    }
}
