//! A server that faults may strike, with a store and callers on it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use foldlog_core::{Error, ErrorKind};
use foldlog_eventstore::{AppendError, EventStore, Request, any};
use foldlog_pg::{Db, Migrator, database, sqlstate};
use foldlog_projections::Projections;
use foldlog_testkit::{Cluster, wait_until};
use foldlog_torture::crew::Crew;
use foldlog_torture::domain::{AccountEvent, AccountId};
use foldlog_torture::field::Field;
use foldlog_torture::proxy::Proxy;
use foldlog_torture::recorder::Recorder;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection, PgConnection};
use tokio::task::JoinSet;

pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The marks of events in prepared transactions begin here.
pub(crate) const PREPARED: u64 = 1_000_000;

/// A server of a few connections, and nothing in it.
pub(crate) async fn cluster() -> Cluster {
    let settings = [("max_connections", "24"), ("deadlock_timeout", "100ms"), ("fsync", "off")];
    let mut cluster = Cluster::make(&settings).await;
    cluster.start().await;
    cluster
}

/// A session by URL.
pub(crate) async fn session(url: &str) -> PgConnection {
    let options: sqlx::postgres::PgConnectOptions = url.parse().unwrap();
    options.application_name("torture test").connect().await.unwrap()
}

pub(crate) async fn run(session: &mut PgConnection, sql: &str) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(session).await.map(drop)
}

pub(crate) async fn number(url: &str, sql: &str) -> i64 {
    let mut session = session(url).await;
    let number = sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(&mut session).await;
    session.close().await.unwrap();
    number.unwrap()
}

/// A crew of processes that only wait for the end of their input.
pub(crate) fn idlers(folder: &std::path::Path, n: usize) -> Crew {
    let arguments = |place, life| {
        let script = format!("echo worker {place} life {life} >&2; exec cat");
        vec!["-c".to_owned(), script]
    };
    let mut crew = Crew::new("/bin/sh", folder, arguments).unwrap();
    for place in 0..n {
        assert_eq!(crew.hire().unwrap(), place);
    }
    crew
}

/// A field with a store on it, and callers that append through the proxy.
pub(crate) struct Battle {
    pub(crate) field: Arc<Field>,
    pub(crate) url: String,
    /// What callers in users' transactions were answered, by SQLSTATE, or by kind without one.
    pub(crate) answers: Arc<Mutex<BTreeMap<String, usize>>>,
    callers: JoinSet<()>,
    _folder: tempfile::TempDir,
}

pub(crate) async fn battle() -> Battle {
    let cluster = cluster().await;
    let url = cluster.url("postgres");
    let db = Db::connect(&url).await.unwrap();
    let sets = [&EventStore::SETS[..], &Projections::SETS].concat();
    Migrator::new(&db, &sets).run().await.unwrap();
    let direct = EventStore::open(&db).await.unwrap();
    direct.register::<AccountEvent>().await.unwrap();
    let proxy = Proxy::start(cluster.port(), Rng::with_seed(5)).await.unwrap();
    let through = proxy.url("postgres", "postgres");
    let folder = tempfile::tempdir().unwrap();
    let crew = idlers(folder.path(), 2);
    let recorder = Arc::new(Recorder::new());
    let lease = Duration::from_millis(500);
    let mut field = Field::new(cluster, "postgres", proxy, crew, recorder, lease);
    let prepared = AtomicU64::new(0);
    field.append = Some(Box::new(move |session| {
        let store = direct.clone();
        let transaction = prepared.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move {
            let appended = store.append_in(session, &request(0, PREPARED + transaction)).await;
            appended.map(|_| Some(transaction)).map_err(|error| error.to_string())
        })
    }));
    let db = Db::connect(&through).await.unwrap();
    let store = EventStore::open(&db).await.unwrap();
    let answers = Arc::new(Mutex::default());
    let mut callers = JoinSet::new();
    for caller in 0..4 {
        callers.spawn(append_for_ever(store.clone(), caller, Arc::clone(&answers)));
    }
    Battle { field: Arc::new(field), url, answers, callers, _folder: folder }
}

impl Battle {
    /// Waits until callers append again.
    pub(crate) async fn goes_on(&self) {
        let before = self.events().await;
        wait_until(PATIENCE, async || self.events().await > before + 8).await;
    }

    pub(crate) async fn events(&self) -> i64 {
        number(&self.url, "select count(*) from foldlog.event").await
    }

    pub(crate) async fn end(mut self) {
        self.callers.shutdown().await;
    }
}

fn request(caller: u64, mark: u64) -> Request {
    let streams = [0, 1].map(|n| {
        let id = AccountId(format!("a{}", (caller + n + mark) % 5));
        any(&id, AccountEvent::moved(mark, 1))
    });
    Request::new(streams).unwrap()
}

async fn append_for_ever(
    store: EventStore,
    caller: u64,
    answers: Arc<Mutex<BTreeMap<String, usize>>>,
) {
    for mark in 0.. {
        // It repeats itself; whatever comes of it in the end.
        let _failed = store.append(&request(caller, mark)).await;
        let answer = match append_in(&store, caller, mark).await {
            Ok(()) => "done".to_owned(),
            Err(error) => match sqlstate(&error) {
                Some(code) => code.to_owned(),
                None => format!("{:?}", error.kind()),
            },
        };
        *answers.lock().unwrap().entry(answer).or_default() += 1;
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn append_in(store: &EventStore, caller: u64, mark: u64) -> Result<(), Error> {
    let begin = store.db().pool().begin().await;
    let mut tx = begin.map_err(|error| database("begin", error))?;
    let appended = store.append_in(&mut tx, &request(caller, mark)).await;
    appended.map_err(|error| match error {
        AppendError::Store(error) => error,
        other => Error::new(ErrorKind::Busy, other.to_string()),
    })?;
    tx.commit().await.map_err(|error| database("commit", error))
}
