//! The app: one store, the aggregates it knows, and the tasks that keep it going.

mod builder;
mod cache;
mod keeping;
mod snapshots;
mod tasks;
#[cfg(feature = "projections")]
mod views;

use std::any::TypeId;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use foldlog_core::{Decider, Error, ErrorKind, Tenant};
use foldlog_eventstore::EventStore;
use foldlog_pg::Db;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

pub use builder::AppBuilder;
#[cfg(feature = "schema")]
pub(crate) use builder::{Registration, Starting};
pub use cache::AggregateCache;
use cache::Cache;
pub(crate) use keeping::Keeping;
use snapshots::Snapshots;
use tasks::Tasks;

/// What tells a decision the time.
type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// How long a shutdown waits for calls and tasks under way before it breaks them off.
const GRACE: Duration = Duration::from_secs(10);

/// Commands, appends and reads over one database. A handle: clones share everything, and a clone is
/// cheap.
///
/// Its tasks (wake-ups between processes, segments made ahead, workers) belong to it: they end with
/// [`shutdown`](Self::shutdown), or are broken off when the last clone is dropped. Both lose
/// nothing.
#[derive(Clone)]
pub struct App {
    shared: Arc<Shared>,
    tenant: Tenant,
}

struct Shared {
    store: EventStore,
    clock: Clock,
    #[cfg(feature = "projections")]
    projections: foldlog_projections::Projections,
    aggregates: HashSet<TypeId>,
    cache: Option<Cache>,
    snapshots: Snapshots,
    shutdown: CancellationToken,
    // Calls under way, so that a shutdown can wait for them.
    calls: TaskTracker,
    // Aborts what still runs when it is dropped with the last App: no task is detached.
    tasks: Mutex<Tasks>,
}

impl App {
    /// Begins an app over a database. Nothing is touched before [`AppBuilder::start`].
    pub fn builder(db: Db) -> AppBuilder {
        AppBuilder::new(db)
    }

    /// The same app acting for a tenant: its streams are apart from those of every other tenant.
    /// The app acts for the default tenant before.
    #[must_use]
    pub fn tenant(&self, tenant: Tenant) -> Self {
        Self { shared: Arc::clone(&self.shared), tenant }
    }

    /// The event store, for reading streams, subscriptions and requests made by hand.
    #[must_use]
    pub fn store(&self) -> &EventStore {
        &self.shared.store
    }

    /// The database.
    #[must_use]
    pub fn db(&self) -> &Db {
        self.shared.store.db()
    }

    /// Ends the app for all clones: new calls are refused, calls and tasks under way are waited for,
    /// and after ten seconds broken off. The database stays open; it is yours.
    ///
    /// Calling it again waits for the same end. Dropping the future leaves the app stopped, and
    /// another call goes on waiting, and answers what this one would have.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Stopped`] if something had to be broken off, which loses nothing; the error of
    /// a task that failed, after that one from the next call; [`ErrorKind::Internal`] if one
    /// panicked.
    pub async fn shutdown(&self) -> Result<(), Error> {
        self.shared.shutdown.cancel();
        self.shared.calls.close();
        let ended = tokio::time::timeout(GRACE, async {
            self.shared.calls.wait().await;
            self.shared.tasks.lock().await.end().await
        });
        if let Ok(ended) = ended.await {
            return ended;
        }
        self.shared.tasks.lock().await.break_off().await;
        Err(Error::new(
            ErrorKind::Stopped,
            format!(
                "calls or tasks of the app did not end within {} s of its shutdown and were \
                 left or broken off: nothing is lost, appends are whole or not there, and \
                 workers resume from their checkpoints",
                GRACE.as_secs()
            ),
        ))
    }

    /// A call under way: the shutdown waits until it is dropped.
    pub(crate) fn call(&self) -> Result<TaskTrackerToken, Error> {
        let call = self.shared.calls.token();
        if self.shared.shutdown.is_cancelled() {
            return Err(Error::new(ErrorKind::Stopped, "the app was shut down"));
        }
        Ok(call)
    }

    /// The time for a decision.
    pub(crate) fn now(&self) -> SystemTime {
        (self.shared.clock)()
    }

    /// For whom this handle acts.
    pub(crate) fn acts_for(&self) -> &Tenant {
        &self.tenant
    }

    pub(crate) fn check_registered<A: Decider>(&self) -> Result<(), Error> {
        if self.shared.aggregates.contains(&TypeId::of::<A>()) {
            return Ok(());
        }
        let name = std::any::type_name::<A>();
        Err(Error::new(
            ErrorKind::Invalid,
            format!(
                "the aggregate {name} is not registered: add `.aggregate::<{name}>()` to the \
                 builder of the App"
            ),
        ))
    }
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App")
            .field("db", self.db())
            .field("tenant", &self.tenant.as_str())
            .finish_non_exhaustive()
    }
}
