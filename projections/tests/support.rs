//! A store and its projections in a database of their own, and ways to look behind them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use foldlog_core::{
    Event, Expected, Filter, Fold, Position, RawEvent, Recorded, Route, Row as Fate, Source,
    Tenant, Token,
};
use foldlog_eventstore::{EventStore, IntoEvents, Request, StreamEvents};
use foldlog_pg::{Db, Migrator};
use foldlog_projections::{Projections, Registered, Status, Workers};
use foldlog_testkit::{TestDatabase, template, wait_until};
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, PgConnection, Row};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Longer than anything takes on a busy machine; a wait that is right ends in milliseconds.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Bench {
    pub(crate) store: EventStore,
    pub(crate) database: TestDatabase,
}

/// Workers under way; dropped, they are killed where they stand.
pub(crate) struct Running {
    task: JoinHandle<()>,
    shutdown: CancellationToken,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        let sets = [
            foldlog_migrations::BASE,
            foldlog_migrations::EVENTSTORE,
            foldlog_migrations::PROJECTIONS,
        ];
        let sql: Vec<_> = sets.iter().flat_map(|s| s.migrations).map(|m| m.sql).collect();
        let ledger = "create table public.ledger (who text, stream text, version bigint)";
        let prepare = async |db: Db| {
            Migrator::new(&db, &sets).event_segment_width(65_536).run().await.unwrap();
            sqlx::query(ledger).execute(db.pool()).await.unwrap();
        };
        let content = format!("{}{ledger}", sql.concat());
        let database = template("projections", content, prepare).await.database().await;
        Self { store: EventStore::open(&database.db()).await.unwrap(), database }
    }

    /// A handle of its own, as each process has one.
    pub(crate) async fn open(
        &self,
        registered: impl IntoIterator<Item = Registered>,
    ) -> Projections {
        self.try_open(registered).await.unwrap()
    }

    pub(crate) async fn try_open(
        &self,
        registered: impl IntoIterator<Item = Registered>,
    ) -> Result<Projections, foldlog_core::Error> {
        let source = Arc::new(self.store.clone());
        let registered = registered.into_iter().collect();
        Projections::open(&self.database.db(), source.clone(), source, registered).await
    }

    /// A session outside of the pool.
    pub(crate) async fn session(&self) -> PgConnection {
        self.database.db().session("foldlog test").await.unwrap()
    }

    /// A session with an open transaction that has run a statement.
    pub(crate) async fn holding(&self, sql: &str) -> PgConnection {
        let mut session = self.session().await;
        run(&mut session, &format!("begin; {sql}")).await;
        session
    }

    /// Events for one stream of the default tenant.
    pub(crate) async fn put<E: Event>(&self, id: &E::Id, events: impl IntoEvents<E>) -> Token {
        self.put_for(&Tenant::default(), id, events).await
    }

    pub(crate) async fn put_for<E: Event>(
        &self,
        tenant: &Tenant,
        id: &E::Id,
        events: impl IntoEvents<E>,
    ) -> Token {
        let events = StreamEvents::of(id, Expected::Any, events).in_tenant(tenant);
        self.store.append(&Request::new([events]).unwrap()).await.unwrap().token
    }

    /// Every event of a category.
    pub(crate) async fn events(&self, category: &'static str) -> Vec<RawEvent> {
        let mut reader = self.store.reader().await.unwrap();
        let (mut events, mut after) = (Vec::new(), Position::START);
        loop {
            let filter = Filter::all().categories(vec![category]);
            let page = reader.page(&filter, after, 1_000).await.unwrap();
            events.extend(page.events);
            after = page.through;
            if !page.more {
                return events;
            }
        }
    }

    pub(crate) async fn run(&self, sql: &str) {
        run(&mut self.session().await, sql).await;
    }

    /// The one value of a query.
    pub(crate) async fn value<T>(&self, sql: &str) -> T
    where
        T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
    {
        let rows = self.rows(sql).await;
        rows.first().unwrap_or_else(|| panic!("no row: {sql}")).get(0)
    }

    pub(crate) async fn rows(&self, sql: &str) -> Vec<PgRow> {
        let rows = sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_all(self.database.pool());
        rows.await.unwrap_or_else(|e| panic!("{e} in: {sql}"))
    }

    /// Waits until every event of the categories is behind the checkpoints of a projection.
    pub(crate) async fn caught_up(&self, projection: &str, category: &str) {
        let sql = format!(
            "select count(*) from foldlog.event e
            join foldlog.event_type t on t.id = e.type_id
            join foldlog.category g on g.id = t.category_id and g.name = '{category}'
            join foldlog.checkpoint c on c.projection = '{projection}'
                and e.slice & (c.modulus - 1) = c.remainder and e.position > c.position
            join foldlog.projection p on (p.name, p.version) = (c.projection, c.version)
                and p.state = 'live'"
        );
        wait_until(PATIENCE, async || self.value::<i64>(&sql).await == 0).await;
    }

    /// Waits until the condition holds, a query for one boolean.
    pub(crate) async fn until(&self, sql: &str) {
        wait_until(PATIENCE, async || self.value::<bool>(sql).await).await;
    }

    /// Waits until so many workers of this database wait for a lock.
    pub(crate) async fn workers_waiting(&self, sessions: i64) {
        self.until(&format!(
            "select count(*) = {sessions} from pg_stat_activity
            where datname = current_database() and wait_event_type = 'Lock'
                and application_name = 'foldlog projection'"
        ))
        .await;
    }

    /// Kills the sessions of workers, and waits until they are gone.
    pub(crate) async fn kill_workers(&self) {
        self.rows(
            "select pg_terminate_backend(pid, 10000) from pg_stat_activity
            where datname = current_database() and application_name = 'foldlog projection'",
        )
        .await;
    }

    /// Kills the idle sessions of the pool, so that it opens new ones.
    pub(crate) async fn kill_pool(&self) {
        let mut session = self.session().await;
        let sql = "select pg_terminate_backend(pid, 10000) from pg_stat_activity
            where datname = current_database() and pid <> pg_backend_pid()";
        run(&mut session, sql).await;
    }

    /// Whose rows stand in the ledger, each event as often as it was written.
    pub(crate) async fn ledger(&self) -> Vec<(String, String, i64)> {
        let rows = self.rows("select * from public.ledger order by 2, 3, 1").await;
        rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
    }

    /// That each event of the category account stands in the ledger exactly once.
    pub(crate) async fn assert_ledger_is_exact(&self) {
        let events = self.events("account").await;
        let mut expected: Vec<(String, i64)> = events
            .iter()
            .map(|e| (e.stream.as_str().to_owned(), i64::try_from(e.version).unwrap()))
            .collect();
        expected.sort();
        let written = self.ledger().await;
        let written: Vec<_> = written.into_iter().map(|(_, stream, n)| (stream, n)).collect();
        assert_eq!(written, expected);
    }

    /// That the table of a view is what its events, folded here, make of it.
    pub(crate) async fn assert_folded<V: Fold>(&self)
    where
        V::By: Route<V>,
    {
        let mut model: BTreeMap<(String, V::Key), V> = BTreeMap::new();
        for category in <V::Event as foldlog_core::EventSet>::CATEGORIES {
            for raw in self.events(category).await {
                let event: Recorded<V::Event> = raw.typed().unwrap();
                for key in <V::By as Route<V>>::keys(&event) {
                    let place = (event.name.tenant().as_str().to_owned(), key.clone());
                    let mut row = model.remove(&place).unwrap_or_else(|| V::blank(key));
                    if row.apply(&event) == Fate::Keep {
                        model.insert(place, row);
                    }
                }
            }
        }
        let expected: BTreeSet<(String, String)> = model
            .into_iter()
            .map(|((tenant, _), row)| (tenant, serde_json::to_string(&row).unwrap()))
            .collect();
        let name = V::NAME;
        let sql = format!("select tenant, foldlog_row::text from foldlog_view.{name}");
        let stored: BTreeSet<(String, String)> =
            self.rows(&sql).await.iter().map(|row| (row.get(0), row.get(1))).collect();
        assert_eq!(stored, expected, "the view {name} is not the fold of its events");
    }
}

impl Running {
    pub(crate) fn start(projections: &Projections, options: Workers) -> Self {
        let shutdown = CancellationToken::new();
        let (projections, until) = (projections.clone(), shutdown.clone());
        let task = tokio::spawn(async move { projections.run(&options, until).await.unwrap() });
        Self { task, shutdown }
    }

    /// Ends in order.
    pub(crate) async fn end(mut self) {
        self.shutdown.cancel();
        tokio::time::timeout(PATIENCE, &mut self.task).await.unwrap().unwrap();
    }

    pub(crate) fn tell_to_end(&self) {
        self.shutdown.cancel();
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.task.is_finished()
    }

    /// Drops the future, and waits until it is gone.
    pub(crate) async fn abort(mut self) {
        self.task.abort();
        assert!((&mut self.task).await.unwrap_err().is_cancelled());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// How the classes of one projection stand.
pub(crate) async fn status(projections: &Projections, name: &str) -> Vec<Status> {
    let all = projections.status().await.unwrap();
    all.into_iter().filter(|status| status.projection == name).collect()
}

pub(crate) async fn run(session: &mut PgConnection, sql: &str) {
    let done = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(session).await;
    done.unwrap_or_else(|e| panic!("{e} in: {sql}"));
}
