//! A store on a PostgreSQL cluster of its own, for what happens to whole servers.

use foldlog_eventstore::EventStore;
use foldlog_pg::{Db, Endpoint, Migrator};
use foldlog_testkit::Cluster;
use tokio::sync::{Mutex, OnceCell};

use crate::support::{Bench, Note};

/// The log is flushed by commits alone, so that a crash takes with it what none has flushed.
const SETTINGS: [(&str, &str); 3] =
    [("autovacuum", "off"), ("wal_writer_delay", "10s"), ("shared_buffers", "32MB")];

/// A stopped cluster with an empty event store.
async fn stopped() -> Cluster {
    static MADE: OnceCell<Mutex<Cluster>> = OnceCell::const_new();
    let make = || async {
        let mut cluster = Cluster::make(&SETTINGS).await;
        cluster.start().await;
        let db = Db::open(cluster.endpoint("postgres"), None).await.unwrap();
        Migrator::new(&db, &EventStore::SETS).run().await.unwrap();
        EventStore::open(&db).await.unwrap().register::<Note>().await.unwrap();
        db.close().await;
        cluster.stop().await;
        Mutex::new(cluster)
    };
    MADE.get_or_init(make).await.lock().await.copy().await
}

pub(crate) async fn open(endpoint: Endpoint) -> EventStore {
    let db = Db::open(endpoint, None).await.unwrap();
    EventStore::open(&db).await.unwrap()
}

impl Bench<Cluster> {
    /// A store on a running cluster of its own, with these settings.
    pub(crate) async fn alone(settings: &[(&str, &str)]) -> Self {
        let cluster = stopped().await;
        for (name, value) in settings {
            cluster.set(name, value);
        }
        Self::started(cluster).await
    }

    /// The same, with a standby that follows it, without being waited for.
    pub(crate) async fn followed() -> (Self, Cluster) {
        let mut cluster = stopped().await;
        let mut standby = cluster.copy().await;
        standby.standby_of(&cluster);
        let bench = Self::started(cluster).await;
        standby.start().await;
        (bench, standby)
    }

    async fn started(mut cluster: Cluster) -> Self {
        cluster.start().await;
        let store = open(cluster.endpoint("postgres")).await;
        Self { store, database: cluster }
    }

    /// The end of the machine, and its return.
    pub(crate) async fn crash(&mut self) {
        self.database.kill().await;
        self.database.start().await;
    }
}
