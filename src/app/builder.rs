//! What an app is made of, and its start.

use std::any::{TypeId, type_name};
use std::collections::{HashMap, HashSet};
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use foldlog_core::{Decider, Error, ErrorKind, Event, Tenant};
use foldlog_eventstore::EventStore;
use foldlog_pg::{Db, Migrator};
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::snapshots::{self, Snapshots};
use super::tasks::Tasks;
use super::{AggregateCache, App, Clock, Shared};

/// An app before its start: say what it consists of, then [`start`](Self::start) it.
#[must_use = "an app begins with `start`"]
pub struct AppBuilder {
    db: Db,
    clock: Clock,
    cache: AggregateCache,
    workers: bool,
    registrations: Vec<Box<dyn Registration>>,
}

/// A part of the app that was registered with the builder.
#[async_trait]
pub(crate) trait Registration: Send + Sync {
    /// Prepares the part in the database, and tells the app of it.
    async fn start(self: Box<Self>, starting: &mut Starting) -> Result<(), Error>;
}

/// An app on its way up.
pub(crate) struct Starting {
    pub(crate) store: EventStore,
    #[cfg(feature = "projections")]
    pub(crate) projections: Vec<foldlog_projections::Registered>,
    #[cfg(feature = "projections")]
    pub(crate) worker_options: foldlog_projections::Workers,
    /// What runs until the shutdown.
    pub(crate) tasks: JoinSet<Result<(), Error>>,
    pub(crate) shutdown: CancellationToken,
    aggregates: HashSet<TypeId>,
    // Which event type stands for a category, and its name.
    categories: HashMap<&'static str, (TypeId, &'static str)>,
}

impl AppBuilder {
    pub(super) fn new(db: Db) -> Self {
        Self {
            db,
            clock: Arc::new(SystemTime::now),
            cache: AggregateCache::entries(0),
            workers: true,
            registrations: Vec::new(),
        }
    }

    /// Registers an aggregate: its commands can be executed, and its event types are made known to
    /// the store at the start.
    pub fn aggregate<A: Decider>(self) -> Self {
        self.register(AggregateOf::<A>(PhantomData))
    }

    /// Makes the types of events known to the store at the start: of a category that has no aggregate,
    /// because its events come from decisions with a [`Boundary`](crate::Boundary) or from appends.
    ///
    /// A type that was never heard of is made known by the first append of it. If that runs in a
    /// transaction of yours, others who append the same type wait for its end, once.
    pub fn events<E: Event>(self) -> Self {
        self.register(EventsOf::<E>(PhantomData))
    }

    /// What tells decisions the time, as [`Context::now`](crate::Context::now): the system's clock
    /// before. It is asked once for each command.
    ///
    /// Nothing else goes by it: when an event was recorded is for the server to say, and waits and
    /// leases go by the system's clock.
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Keeps states of aggregates in memory, so that commands can be decided without a load. Each of its
    /// kinds must be registered too. Nothing is kept before.
    pub fn aggregate_cache(mut self, cache: AggregateCache) -> Self {
        self.cache = cache;
        self
    }

    /// For a process that must not run workers: another one does. Commands, appends and reads work
    /// as ever, and wake-ups still go to the workers elsewhere.
    pub fn without_workers(mut self) -> Self {
        self.workers = false;
        self
    }

    /// Brings the schema up to date, opens the store, prepares what was registered, and runs it.
    ///
    /// Several processes may start at once. A role that may not change the schema can start an app
    /// too, once another one has migrated it. Dropping the future leaves whole migrations applied
    /// and nothing running.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Setup`] if the schema can't be migrated or is not as it should be, with the
    /// remedy; [`ErrorKind::Invalid`] for a registration that can't be; those of the database.
    pub async fn start(self) -> Result<App, Error> {
        Migrator::new(&self.db, &EventStore::SETS).run().await?;
        #[cfg(feature = "projections")]
        Migrator::new(&self.db, &foldlog_projections::Projections::SETS).run().await?;
        let mut starting = Starting {
            store: EventStore::open(&self.db).await?,
            #[cfg(feature = "projections")]
            projections: Vec::new(),
            #[cfg(feature = "projections")]
            worker_options: foldlog_projections::Workers::default(),
            tasks: JoinSet::new(),
            shutdown: CancellationToken::new(),
            aggregates: HashSet::new(),
            categories: HashMap::new(),
        };
        for registration in self.registrations {
            registration.start(&mut starting).await?;
        }
        if let Some(name) = self.cache.stranger(|id| starting.aggregates.contains(id)) {
            return Err(Error::new(
                ErrorKind::Invalid,
                format!(
                    "the cache is to keep the aggregate {name}, which is not registered: add \
                     `.aggregate::<{name}>()` to the builder of the App"
                ),
            ));
        }
        #[cfg(feature = "projections")]
        let projections = starting.project(&self.db, self.workers).await?;
        let Starting { store, mut tasks, shutdown, aggregates, .. } = starting;
        let (snapshots, taken) = Snapshots::new();
        let storing = snapshots::store(store.clone(), taken, shutdown.clone());
        tasks.spawn(watched("the keeper of snapshots", storing));
        let (running, until) = (store.clone(), shutdown.clone());
        tasks.spawn(watched("the store", async move { running.run(until).await }));
        let shared = Shared {
            store,
            clock: self.clock,
            #[cfg(feature = "projections")]
            projections,
            aggregates,
            cache: self.cache.build(),
            snapshots,
            shutdown,
            calls: TaskTracker::new(),
            tasks: Mutex::new(Tasks::new(tasks)),
        };
        Ok(App { shared: Arc::new(shared), tenant: Tenant::default() })
    }

    pub(crate) fn register(mut self, registration: impl Registration + 'static) -> Self {
        self.registrations.push(Box::new(registration));
        self
    }
}

/// A task of the app whose failure is told at once, and not only by the shutdown.
async fn watched(
    what: &'static str,
    task: impl Future<Output = Result<(), Error>>,
) -> Result<(), Error> {
    let end = task.await;
    if let Err(error) = &end {
        tracing::error!(%error, "{what} of the app stopped");
    }
    end
}

#[cfg(feature = "projections")]
impl Starting {
    /// Opens the projections over the app's own store, and runs their workers.
    async fn project(
        &mut self,
        db: &Db,
        workers: bool,
    ) -> Result<foldlog_projections::Projections, Error> {
        let store = Arc::new(self.store.clone());
        let registered = std::mem::take(&mut self.projections);
        let projections =
            foldlog_projections::Projections::open(db, store.clone(), store, registered).await?;
        let (watching, until) = (projections.clone(), self.shutdown.clone());
        self.tasks.spawn(async move {
            watching.watch(until).await;
            Ok(())
        });
        if workers {
            let (working, until) = (projections.clone(), self.shutdown.clone());
            let options = self.worker_options.clone();
            let run = async move { working.run(&options, until).await };
            self.tasks.spawn(watched("the workers", run));
        }
        Ok(projections)
    }
}

struct AggregateOf<A>(PhantomData<fn() -> A>);

#[async_trait]
impl<A: Decider> Registration for AggregateOf<A> {
    async fn start(self: Box<Self>, starting: &mut Starting) -> Result<(), Error> {
        starting.make_known::<A::Event>().await?;
        starting.aggregates.insert(TypeId::of::<A>());
        Ok(())
    }
}

struct EventsOf<E>(PhantomData<fn() -> E>);

#[async_trait]
impl<E: Event> Registration for EventsOf<E> {
    async fn start(self: Box<Self>, starting: &mut Starting) -> Result<(), Error> {
        starting.make_known::<E>().await
    }
}

impl Starting {
    /// Makes the types of a category known to the store.
    async fn make_known<E: Event>(&mut self) -> Result<(), Error> {
        let category = E::CATEGORY;
        let event = (TypeId::of::<E>(), type_name::<E>());
        let standing = *self.categories.entry(category).or_insert(event);
        if standing.0 != event.0 {
            return Err(Error::new(
                ErrorKind::Invalid,
                format!(
                    "{} and {} both claim the category {category}: a category has one event type, \
                     which aggregates may share",
                    standing.1, event.1
                ),
            ));
        }
        self.store.register::<E>().await
    }
}

impl std::fmt::Debug for AppBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AppBuilder")
            .field("db", &self.db)
            .field("workers", &self.workers)
            .field("registrations", &self.registrations.len())
            .finish()
    }
}
