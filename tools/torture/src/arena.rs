//! The arena of one schedule: a cluster of its own, a store, projections, and the way to them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use foldlog_core::{Error, ErrorKind};
use foldlog_eventstore::EventStore;
use foldlog_pg::{Db, Migrator, database, migrate_roles};
use foldlog_projections::Projections;
use foldlog_testkit::Cluster;

use crate::book::Book;
use crate::bug::Bug;
use crate::crew::Crew;
use crate::domain::{AccountEvent, registered};
use crate::field::Field;
use crate::plan::Plan;
use crate::proxy::Proxy;
use crate::worker::LEASE;
use crate::writer::prepared::appending;

const DATABASE: &str = "torture";

/// Enough for every session of a schedule; faults take the rest.
const SETTINGS: [(&str, &str); 4] = [
    ("max_connections", "140"),
    ("shared_buffers", "256MB"),
    ("deadlock_timeout", "200ms"),
    ("log_min_messages", "fatal"),
];

pub struct Arena {
    pub field: Field,
    /// Over the proxy: what most writers and readers use.
    pub proxied: EventStore,
    /// Past the proxy: what watches over the schedule.
    pub direct: EventStore,
    pub projections: Projections,
    /// Past the proxy, for who makes pools of its own.
    pub url: String,
}

impl Arena {
    /// Makes everything, from the files of a new cluster on.
    ///
    /// # Errors
    ///
    /// Those of the database, before any fault was.
    pub async fn make(
        plan: &Plan,
        book: &Arc<Book>,
        program: &Path,
        folder: &Path,
        bug: Option<Bug>,
    ) -> Result<Self, Error> {
        let mut cluster = Cluster::make(&SETTINGS).await;
        cluster.start().await;
        create(&cluster).await?;
        let url = cluster.url(DATABASE);
        let direct = Db::connect(&url).await?;
        let migrator = Migrator::new(&direct, &EventStore::SETS);
        migrator.event_segment_width(plan.segment_width).run().await?;
        Migrator::new(&direct, &Projections::SETS).run().await?;
        migrate_roles(&direct).await?;
        prepare(&direct, bug).await?;
        let broken = |e: std::io::Error| {
            Error::new(ErrorKind::Setup, "the proxy or a worker can't be started").with_source(e)
        };
        let proxy =
            Proxy::start(cluster.port(), Rng::with_seed(plan.seed)).await.map_err(broken)?;
        let (port, proxy_port) = (cluster.port(), proxy.port());
        let proxied = Db::connect(&proxy.url("postgres", DATABASE)).await?;
        let proxied = EventStore::open(&proxied).await?;
        let direct = EventStore::open(&direct).await?;
        direct.register::<AccountEvent>().await?;
        let source = Arc::new(direct.clone());
        let projections =
            Projections::open(direct.db(), source.clone(), source, registered()?).await?;
        let crew = Crew::new(program, folder, move |place, life| {
            // Now and then a worker finds its way past the proxy: it is spared some faults, so that
            // there is always one to take over.
            let port = if life % 4 == 3 { port } else { proxy_port };
            // A role for each life: the audit tells a killed worker from the one in its place.
            let role = format!("worker_{place}_{life}");
            let url = format!("postgres://{role}@127.0.0.1:{port}/{DATABASE}?sslmode=disable");
            let mut words = vec!["worker".to_owned(), url];
            words.extend(bug.map(|bug| bug.name().to_owned()));
            words
        });
        let mut crew = crew.map_err(broken)?;
        for _ in 0..plan.workers {
            crew.hire().map_err(broken)?;
        }
        let recorder = book.recorder.clone();
        let mut field = Field::new(cluster, DATABASE, proxy, crew, recorder, LEASE);
        field.append = Some(appending(direct.clone(), book.clone()));
        Ok(Self { field, proxied, direct, projections, url })
    }

    /// Everybody has left: the pools are closed, the server goes with the field.
    pub async fn close(self) {
        let closing = async {
            self.proxied.db().clone().close().await;
            self.direct.db().clone().close().await;
        };
        // What does not close in time is cut off by the end of the server.
        let _late = tokio::time::timeout(Duration::from_secs(10), closing).await;
    }
}

/// The database, and roles for the lives of workers.
async fn create(cluster: &Cluster) -> Result<(), Error> {
    let admin = Db::connect(&cluster.url("postgres")).await?;
    let failed = |e| database("set up a schedule", e);
    for statement in
        [include_str!("../sql/database_create.sql"), include_str!("../sql/role_create.sql")]
    {
        sqlx::raw_sql(statement).execute(admin.pool()).await.map_err(failed)?;
    }
    admin.close().await;
    Ok(())
}

async fn prepare(db: &Db, bug: Option<Bug>) -> Result<(), Error> {
    sqlx::raw_sql(include_str!("../sql/tamper/role_create.sql"))
        .execute(db.pool())
        .await
        .map_err(|e| database("set up a schedule", e))?;
    // The checkpoints are there; the audit comes before the first of them moves.
    sqlx::raw_sql(include_str!("../sql/arena_create.sql"))
        .execute(db.pool())
        .await
        .map_err(|e| database("set up a schedule", e))?;
    #[cfg(feature = "planted")]
    crate::planted::plant(db, bug).await?;
    #[cfg(not(feature = "planted"))]
    let _ = bug;
    Ok(())
}
