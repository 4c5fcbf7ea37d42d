//! The projections of a process: set up, worked on, read.

use std::sync::Arc;

use foldlog_core::{Error, ErrorKind, Fold, Route, Source, StreamTail, Tenant};
use foldlog_migrations::Set;
use foldlog_pg::{Db, database};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::checkpoint::{self, Status};
use crate::monitor;
use crate::progress::Progress;
use crate::registered::{self, Registered};
use crate::views::Views;
use crate::views::ahead::Ahead;
use crate::worker::Shared;
use crate::workers::{self, Workers};

/// The projections that a process has registered. A handle: clones share everything.
#[derive(Clone)]
pub struct Projections(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) db: Db,
    pub(crate) source: Arc<dyn Source>,
    pub(crate) tail: Arc<dyn StreamTail>,
    pub(crate) registered: Vec<Arc<Registered>>,
    pub(crate) progress: Arc<Progress>,
    pub(crate) owner: String,
    pub(crate) ahead: Ahead,
}

impl Projections {
    /// The migrations projections need.
    pub const SETS: [Set; 2] = [foldlog_migrations::BASE, foldlog_migrations::PROJECTIONS];

    /// Sets up what is registered: makes tables and checkpoints, or checks those that are there.
    ///
    /// Events come from `source`; `tail` reads the end of one stream, for exact reads.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Setup`] if a definition changed under the same version, if the database holds a
    /// newer version, or if the migrations have not run; [`ErrorKind::Invalid`] if a name is
    /// registered twice; those of the database.
    pub async fn open(
        db: &Db,
        source: Arc<dyn Source>,
        tail: Arc<dyn StreamTail>,
        registered: Vec<Registered>,
    ) -> Result<Self, Error> {
        let mut conn = db.session("foldlog open").await?;
        for (place, one) in registered.iter().enumerate() {
            if registered.iter().take(place).any(|other| other.name() == one.name()) {
                return Err(Error::new(
                    ErrorKind::Invalid,
                    format!("projection {} is registered twice", one.name()),
                ));
            }
            // All before the first is changed, so that a refusal leaves everything as it was.
            one.is_live(&mut conn).await?;
        }
        for one in &registered {
            one.set_up(&mut conn).await?;
        }
        sqlx::Connection::close(conn).await.map_err(|e| database("set up projections", e))?;
        Ok(Self(Arc::new(Inner {
            db: db.clone(),
            source,
            tail,
            registered: registered.into_iter().map(Arc::new).collect(),
            progress: Arc::new(Progress::default()),
            owner: format!("{}-{}", std::process::id(), Uuid::now_v7().simple()),
            ahead: Ahead::new(),
        })))
    }

    /// Works on what is registered until `shutdown`, then lets batches finish and releases what it
    /// holds. Any number of processes may do so; each slice class is worked on by one at a time.
    ///
    /// Dropping the future abandons batches under way, which loses nothing, and leaves leases to run
    /// out.
    ///
    /// # Errors
    ///
    /// None that the workers can get over: they log them and go on. It returns at the shutdown.
    pub async fn run(&self, options: &Workers, shutdown: CancellationToken) -> Result<(), Error> {
        let shared = Shared {
            db: self.0.db.clone(),
            source: self.0.source.clone(),
            progress: self.0.progress.clone(),
        };
        workers::run(&shared, &self.0.registered, options, &self.0.owner, &shutdown).await;
        Ok(())
    }

    /// Warns, until `shutdown`, of every view that is live or registered here and that no live
    /// worker owns; then lets go of the session with which reads that wait look ahead: one under way
    /// keeps it until it ends, and a later one has its own.
    pub async fn watch(&self, shutdown: CancellationToken) {
        let registered: Vec<_> = self.0.registered.iter().map(|one| one.name()).collect();
        monitor::run(&self.0.db, &registered, &shutdown).await;
        // Handles may live on for long behind a shutdown, and would keep it.
        self.0.ahead.close();
    }

    /// A registered view, read for a tenant.
    ///
    /// A view that is not registered answers every read with an error that says so.
    #[must_use]
    pub fn view<V: Fold>(&self, tenant: Tenant) -> Views<V>
    where
        V::By: Route<V>,
    {
        Views::new(self.0.clone(), tenant)
    }

    /// How the slice classes of all live projections of the database stand.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn status(&self) -> Result<Vec<Status>, Error> {
        let mut conn = self.0.conn().await?;
        checkpoint::statuses(&mut conn, None).await
    }

    /// Ends a projection in every process: its workers stop, its table and its progress are thrown
    /// away. Registering it again begins it anew. A batch handler's own tables are left alone.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn retire(&self, name: &str) -> Result<(), Error> {
        let mut conn = self.0.db.session("foldlog retire").await?;
        registered::retire(&mut conn, name).await
    }
}

impl Inner {
    pub(crate) async fn conn(&self) -> Result<sqlx::pool::PoolConnection<sqlx::Postgres>, Error> {
        self.db.acquire().await
    }

    pub(crate) fn registered(&self, name: &str) -> Result<&Arc<Registered>, Error> {
        self.registered.iter().find(|one| one.name() == name).ok_or_else(|| {
            Error::new(
                ErrorKind::Invalid,
                format!("view {name} is not registered here: add `.view::<…>()` to the builder"),
            )
        })
    }
}

impl std::fmt::Debug for Projections {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Projections")
            .field("registered", &self.0.registered)
            .finish_non_exhaustive()
    }
}
