//! Wake-ups: how an append reaches the readers that wait for it.
//!
//! Within the process, a signal after the commit. To other processes, a notification in a transaction
//! of its own: NOTIFY takes a lock of the whole server during the commit, so it never rides on an
//! append, and many appends share one. Readers poll besides: that is the guarantee, this is the speed.

use std::future::Future;
use std::time::Duration;

use foldlog_core::Error;
use foldlog_pg::{Db, Listener, database};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How long a reader waits at most before it looks for itself.
const POLL: Duration = Duration::from_secs(1);
/// After a notification, how long further appends are gathered for the next one.
const GATHER: Duration = Duration::from_millis(5);
const CHANNEL: &str = "foldlog_event";

#[derive(Debug)]
pub(crate) struct Wake {
    // Changes whenever there may be something to read.
    signal: watch::Sender<()>,
    // An append of this process that others have not been told of.
    untold: Notify,
    // Tells our own notifications from those of others.
    process: String,
}

impl Wake {
    pub(crate) fn new() -> Self {
        Self {
            signal: watch::Sender::new(()),
            untold: Notify::new(),
            process: Uuid::now_v7().simple().to_string(),
        }
    }

    /// After a commit of this process.
    pub(crate) fn appended(&self) {
        self.signal.send_replace(());
        self.untold.notify_one();
    }

    /// Resolves at the next signal after the call, and at the latest after the polling interval.
    pub(crate) fn woken(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut signal = self.signal.subscribe();
        async move {
            // Both ends mean the same: look again.
            drop(tokio::time::timeout(POLL, signal.changed()).await);
        }
    }

    /// Tells other processes: at once after a pause, and then at most every few milliseconds.
    pub(crate) async fn carry_out(&self, db: &Db, shutdown: &CancellationToken) {
        while shutdown.run_until_cancelled(self.untold.notified()).await.is_some() {
            if let Err(error) = self.tell(db).await {
                tracing::debug!(%error, "other processes were not woken; they poll");
            }
            if shutdown.run_until_cancelled(tokio::time::sleep(GATHER)).await.is_none() {
                return;
            }
        }
    }

    async fn tell(&self, db: &Db) -> Result<(), Error> {
        let mut conn = db.acquire().await?;
        let notify = sqlx::query(include_str!("../sql/wake_notify.sql")).bind(&self.process);
        notify.execute(&mut *conn).await.map_err(|e| database("wake other processes", e))?;
        Ok(())
    }

    /// Hears of appends of other processes.
    pub(crate) async fn carry_in(&self, db: &Db, shutdown: &CancellationToken) {
        let on_wake = |process: &str| {
            if process != self.process {
                self.signal.send_replace(());
            }
        };
        Listener::run(db.direct(), CHANNEL, on_wake, shutdown.clone()).await;
    }
}
