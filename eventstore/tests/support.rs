//! A store in a database of its own, events to put into it, and sessions to get in its way.

use std::time::Duration;

use foldlog_core::{
    Encoded, Error, Event, EventSet, Expected, Filter, Position, RawEvent, Reader, Source,
    StreamName, Tenant,
};
use foldlog_eventstore::{AppendError, Appended, EventStore, Request, StreamEvents};
use foldlog_pg::{Db, Migrator};
use foldlog_testkit::{TestDatabase, template, wait_until};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sqlx::{PgConnection, Row};

/// Longer than anything takes on a busy machine; a wait that is right ends in milliseconds.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A database with an empty event store.
pub(crate) async fn database() -> TestDatabase {
    database_of_width(65_536).await
}

/// The same with segments of so many positions.
pub(crate) async fn database_of_width(width: u64) -> TestDatabase {
    let sql: Vec<_> = EventStore::SETS.iter().flat_map(|s| s.migrations).map(|m| m.sql).collect();
    let prepare = async |db: Db| {
        let migrator = Migrator::new(&db, &EventStore::SETS).event_segment_width(width);
        migrator.run().await.unwrap();
    };
    template(&format!("eventstore_{width}"), sql.concat(), prepare).await.database().await
}

/// An event store and the database that is dropped with it, or a cluster of its own.
pub(crate) struct Bench<D = TestDatabase> {
    pub(crate) store: EventStore,
    pub(crate) database: D,
}

impl Bench {
    /// The store once more, where transactions are serializable unless they say otherwise.
    pub(crate) async fn serializable_by_default(&self) -> EventStore {
        let name = self.database.name();
        let sql =
            format!("alter database {name} set default_transaction_isolation = 'serializable'");
        let mut admin = self.session().await;
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut admin).await.unwrap();
        EventStore::open(&Db::connect(self.database.url()).await.unwrap()).await.unwrap()
    }

    pub(crate) async fn new() -> Self {
        Self::on(database().await).await
    }

    pub(crate) async fn on(database: TestDatabase) -> Self {
        let store = EventStore::open(&database.db()).await.unwrap();
        // Ahead of all transactions: a type that an open one makes known is waited for.
        store.register::<Note>().await.unwrap();
        Self { store, database }
    }
}

impl<D> Bench<D> {
    /// A session outside of the pool.
    pub(crate) async fn session(&self) -> PgConnection {
        self.store.db().session("foldlog test").await.unwrap()
    }

    /// A session with an open transaction.
    pub(crate) async fn begun(&self) -> PgConnection {
        let mut session = self.session().await;
        run(&mut session, "begin").await;
        session
    }

    /// An append in a transaction of its own, of events numbered from `n`.
    pub(crate) async fn append(&self, stream: &str, expected: Expected, n: u32) -> Appended {
        self.store.append(&request([noted(stream, expected, n)])).await.unwrap()
    }

    /// An append in the session's transaction.
    pub(crate) async fn append_in(&self, session: &mut PgConnection, stream: &str) -> Appended {
        let request = request([noted(stream, Expected::Any, 1)]);
        self.store.append_in(session, &request).await.unwrap()
    }

    /// The same append in a task, for one that will have to wait.
    pub(crate) fn appending(
        &self,
        request: Request,
    ) -> tokio::task::JoinHandle<Result<Appended, AppendError>> {
        let store = self.store.clone();
        tokio::spawn(async move { store.append(&request).await })
    }

    /// Waits until so many sessions of this database wait for a lock.
    pub(crate) async fn waiting(&self, sessions: i64) {
        let mut session = self.session().await;
        let sql = "select count(*) from pg_stat_activity
            where datname = current_database() and wait_event_type = 'Lock'";
        wait_until(PATIENCE, async || number(&mut session, sql).await == sessions).await;
    }

    /// The versions and payloads of a stream, as the store reads them.
    pub(crate) async fn stream(&self, stream: &str) -> Vec<(u64, String)> {
        let (mut events, mut after) = (Vec::new(), 0);
        loop {
            let page = self.store.read_stream(&name(stream), after, 10_000).await.unwrap();
            events.extend(page.events.iter().map(|e| (e.version, e.payload.get().to_owned())));
            after = events.last().map_or(0, |event| event.0);
            if !page.more {
                assert_eq!(page.version, after, "{stream}");
                return events;
            }
        }
    }

    /// Everything that is settled, as labels.
    pub(crate) async fn all(&self) -> Vec<String> {
        let mut reader = self.store.reader().await.unwrap();
        follow(&mut *reader, &mut Position::START.clone()).await.iter().map(label).collect()
    }
}

/// Reads to the present end of the settled order, a few events at a time.
pub(crate) async fn follow(reader: &mut dyn Reader, cursor: &mut Position) -> Vec<RawEvent> {
    let mut events = Vec::new();
    loop {
        let page = reader.page(&Filter::all(), *cursor, 7).await.unwrap();
        assert!(page.through >= *cursor, "a reader never steps back");
        *cursor = page.through;
        events.extend(page.events);
        if !page.more {
            return events;
        }
    }
}

/// `stream@version`
pub(crate) fn label(event: &RawEvent) -> String {
    format!("{}@{}", event.stream.as_str(), event.version)
}

pub(crate) fn name(stream: &str) -> StreamName {
    StreamName::parse(&Tenant::default(), stream).unwrap()
}

pub(crate) fn event(kind: &'static str, json: &str) -> Encoded {
    Encoded { kind, payload: RawValue::from_string(json.to_owned()).unwrap(), tags: Vec::new() }
}

/// One event of type `Noted` with a number as its payload.
pub(crate) fn noted(stream: &str, expected: Expected, n: u32) -> StreamEvents {
    StreamEvents::raw(name(stream), expected, vec![event("Noted", &n.to_string())])
}

/// Several of them, counted from `n`.
pub(crate) fn noted_many(stream: &str, expected: Expected, n: u32, count: u32) -> StreamEvents {
    let events = (n..n + count).map(|n| event("Noted", &n.to_string())).collect();
    StreamEvents::raw(name(stream), expected, events)
}

pub(crate) fn request(streams: impl IntoIterator<Item = StreamEvents>) -> Request {
    Request::new(streams).unwrap()
}

pub(crate) async fn run(session: &mut PgConnection, sql: &'static str) {
    sqlx::raw_sql(sql).execute(session).await.unwrap_or_else(|e| panic!("{e} in: {sql}"));
}

/// Runs what must fail, and answers with the SQLSTATE.
pub(crate) async fn refused(session: &mut PgConnection, sql: &'static str) -> String {
    let error = sqlx::raw_sql(sql).execute(session).await.expect_err(sql);
    error.as_database_error().unwrap().code().unwrap().into_owned()
}

pub(crate) async fn number(session: &mut PgConnection, sql: &'static str) -> i64 {
    let row = sqlx::raw_sql(sql).fetch_one(session).await;
    row.unwrap_or_else(|e| panic!("{e} in: {sql}")).get(0)
}

pub(crate) async fn text(session: &mut PgConnection, sql: &'static str) -> String {
    let row = sqlx::raw_sql(sql).fetch_one(session).await;
    row.unwrap_or_else(|e| panic!("{e} in: {sql}")).get(0)
}

pub(crate) async fn pid(session: &mut PgConnection) -> i32 {
    sqlx::query_scalar("select pg_backend_pid()").fetch_one(session).await.unwrap()
}

/// What a conflict says: the stream, what was expected, what was there.
pub(crate) fn conflict(result: Result<Appended, AppendError>) -> (String, Expected, u64) {
    match result {
        Err(AppendError::Conflict { stream, expected, actual }) => {
            (stream.as_str().to_owned(), expected, actual)
        }
        other => panic!("no conflict: {other:?}"),
    }
}

/// The store's error in a failed append.
pub(crate) fn failure(result: Result<Appended, AppendError>) -> Error {
    match result {
        Err(AppendError::Store(error)) => error,
        other => panic!("no error of the store: {other:?}"),
    }
}

/// Events with a type of their own, written out: the derive macros stand above this crate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Note {
    Noted(u32),
    Closed,
}

impl EventSet for Note {
    type Stream = String;
    const CATEGORIES: &'static [&'static str] = &["note"];

    fn decode(raw: &RawEvent) -> Result<Self, Error> {
        foldlog_core::derived::decode(raw)
    }

    fn stream(name: &StreamName) -> Result<String, Error> {
        Ok(name.id::<Self>().unwrap())
    }
}

impl Event for Note {
    type Id = String;
    const CATEGORY: &'static str = "note";

    fn kinds() -> Result<&'static [&'static str], Error> {
        foldlog_core::derived::kinds::<Self>()
    }

    fn encode(&self) -> Result<Encoded, Error> {
        foldlog_core::derived::encode(self)
    }
}
