//! Every future of the projections, dropped at each of its awaits, on pools of one connection: no
//! session or lock stays, a lease runs out, and every event counts once.

use std::sync::Arc;
use std::time::Duration;

use foldlog_core::Tenant;
use foldlog_eventstore::EventStore;
use foldlog_pg::Db;
use foldlog_projections::{Projections, Registered, Views, Workers};
use foldlog_testkit::{Audit, sweep, wait_until};
use tokio_util::sync::CancellationToken;

use crate::domain::{AccountId, Balance, account, deposit};
use crate::hand::scribe;
use crate::support::{Bench, PATIENCE, Running};

/// As short as it may be.
const LEASE: Duration = Duration::from_millis(100);

const LIVE: &str = "select count(*) from foldlog.projection where name = 'balance'
    and state = 'live'";
const TABLES: &str = "select count(*) from pg_tables where schemaname = 'foldlog_view'";

/// A bench whose projections go through pools of one connection.
struct Narrow {
    bench: Bench,
    db: Db,
    audit: Audit,
}

impl Narrow {
    async fn new() -> Self {
        let bench = Bench::new().await;
        let db = bench.database.narrow().await;
        let audit = Audit::of(&bench.database).await;
        Self { bench, db, audit }
    }

    async fn open(&self, registered: Vec<Registered>) -> Projections {
        let source = Arc::new(EventStore::open(&self.db).await.unwrap());
        Projections::open(&self.db, source.clone(), source, registered).await.unwrap()
    }

    async fn nothing_left(&mut self) {
        self.audit.nothing_left_in(&self.db).await;
    }
}

fn balance() -> Registered {
    Registered::view::<Balance>().unwrap()
}

fn balances(projections: &Projections) -> Views<Balance> {
    projections.view(Tenant::default())
}

#[tokio::test]
async fn a_dropped_opening_or_retirement_is_whole_or_absent() {
    let mut narrow = Narrow::new().await;
    narrow.bench.put(&account("a"), deposit(1)).await;
    sweep("Projections::open", async |cut| {
        let source = Arc::new(narrow.bench.store.clone());
        let opening = Projections::open(&narrow.db, source.clone(), source, vec![balance()]);
        let opened = cut.of(opening).await;
        narrow.nothing_left().await;
        let live: i64 = narrow.bench.value(LIVE).await;
        assert_eq!(live, narrow.bench.value::<i64>(TABLES).await, "in part, at {cut:?}");
        let projections = narrow.open(vec![balance()]).await;
        assert_eq!(balances(&projections).get(&account("a")).await.unwrap(), None);
        projections.retire("balance").await.unwrap();
        opened.is_some()
    })
    .await;
    sweep("Projections::retire", async |cut| {
        let projections = narrow.open(vec![balance()]).await;
        let retired = cut.of(projections.retire("balance")).await;
        narrow.nothing_left().await;
        let live: i64 = narrow.bench.value(LIVE).await;
        assert_eq!(live, narrow.bench.value::<i64>(TABLES).await, "in part, at {cut:?}");
        projections.retire("balance").await.unwrap();
        assert_eq!(narrow.bench.value::<i64>(LIVE).await, 0);
        retired.is_some()
    })
    .await;
}

#[tokio::test]
async fn a_retirement_dropped_while_it_waits_for_a_reader_stands_in_nobodys_way() {
    let narrow = Narrow::new().await;
    let projections = narrow.open(vec![balance()]).await;
    let reader = narrow.bench.holding("select from foldlog_view.balance").await;
    let waiting = "select count(*) from pg_stat_activity where datname = current_database()
        and application_name = 'foldlog retire' and wait_event_type = 'Lock'";
    tokio::select! {
        biased;
        retired = projections.retire("balance") => panic!("it did not wait: {retired:?}"),
        () = wait_until(PATIENCE, async || narrow.bench.value::<i64>(waiting).await == 1) => {}
    }
    // The reader reads on, and others beside it: nobody waits for a lock that nobody asks for.
    let (views, a) = (balances(&projections), account("a"));
    let read = tokio::time::timeout(PATIENCE, views.get(&a));
    assert_eq!(read.await.expect("the view is free").unwrap(), None);
    assert_eq!(narrow.bench.value::<i64>(waiting).await, 0);
    drop(reader);
    projections.retire("balance").await.unwrap();
}

#[tokio::test]
async fn workers_that_are_dropped_leave_their_classes_to_be_claimed_again() {
    let mut narrow = Narrow::new().await;
    let projections = narrow.open(vec![balance(), scribe("hand")]).await;
    let mut deposits = 0;
    sweep("Projections::run", async |cut| {
        deposits += 1;
        narrow.bench.put(&account("a"), deposit(deposits)).await;
        let shutdown = CancellationToken::new();
        let pool = narrow.bench.database.pool().clone();
        let script = {
            let shutdown = shutdown.clone();
            tokio::spawn(async move {
                // Classes without events move later, and nobody waits for those.
                let behind = "select min(c.furthest) < (select max(position) from foldlog.event)
                    from (select max(position) as furthest from foldlog.checkpoint
                        group by projection) c";
                while sqlx::query_scalar(behind).fetch_one(&pool).await.unwrap() {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                shutdown.cancel();
            })
        };
        let options = Workers::default().lease(LEASE);
        let ended = cut.of(projections.run(&options, shutdown)).await;
        script.abort();
        drop(script.await);
        narrow.nothing_left().await;
        ended.is_some()
    })
    .await;
    let running = Running::start(&projections, Workers::default());
    narrow.bench.caught_up("hand", "account").await;
    narrow.bench.caught_up("balance", "account").await;
    running.end().await;
    narrow.bench.assert_ledger_is_exact().await;
    narrow.bench.assert_folded::<Balance>().await;
}

#[tokio::test]
async fn workers_that_are_dropped_in_the_middle_of_their_work_lose_and_double_nothing() {
    let mut narrow = Narrow::new().await;
    let projections = narrow.open(vec![balance(), scribe("hand")]).await;
    let options = Workers::default().lease(LEASE);
    for n in 0..20_u64 {
        for m in 0..4 {
            narrow.bench.put(&account("a"), deposit(m)).await;
        }
        narrow
            .bench
            .until("select bool_and(coalesce(lease_until < now(), true)) from foldlog.checkpoint")
            .await;
        // The workers are tasks, which no poll of ours counts: each time they get a little further.
        let running = Running::start(&projections, options.clone());
        tokio::time::sleep(Duration::from_millis(2 * n)).await;
        running.abort().await;
        narrow.nothing_left().await;
    }
    let running = Running::start(&projections, Workers::default());
    narrow.bench.caught_up("hand", "account").await;
    narrow.bench.caught_up("balance", "account").await;
    running.end().await;
    narrow.bench.assert_ledger_is_exact().await;
    narrow.bench.assert_folded::<Balance>().await;
}

#[tokio::test]
async fn dropped_looks_at_the_projections_leave_the_pool_as_it_was() {
    let mut narrow = Narrow::new().await;
    let projections = narrow.open(vec![balance()]).await;
    sweep("Projections::status", async |cut| {
        let status = cut.of(projections.status()).await;
        narrow.nothing_left().await;
        assert_eq!(projections.status().await.unwrap().len(), 4);
        status.is_some()
    })
    .await;
    sweep("Projections::watch", async |cut| {
        let shutdown = CancellationToken::new();
        let until = shutdown.clone();
        let end = tokio::spawn(async move { until.cancel() });
        let watched = cut.of(projections.watch(shutdown)).await;
        end.await.unwrap();
        narrow.nothing_left().await;
        watched.is_some()
    })
    .await;
}

#[tokio::test]
async fn dropped_reads_of_a_view_leave_the_pool_as_it_was() {
    let mut narrow = Narrow::new().await;
    let projections = narrow.open(vec![balance()]).await;
    let a: AccountId = account("a");
    narrow.bench.put(&a, [deposit(1), deposit(2)]).await;
    sweep("Views::get", async |cut| {
        let row = cut.of(balances(&projections).get(&a)).await;
        narrow.nothing_left().await;
        assert_eq!(balances(&projections).get(&a).await.unwrap(), None);
        row.is_some()
    })
    .await;
    sweep("Views::fresh", async |cut| {
        let row = cut.of(balances(&projections).fresh(&a)).await;
        narrow.nothing_left().await;
        assert_eq!(balances(&projections).fresh(&a).await.unwrap().unwrap().cents, 3);
        row.is_some()
    })
    .await;
    for (application, sessions) in
        [("foldlog projection", 4), ("foldlog reader", 5), ("foldlog leases", 1)]
    {
        narrow.audit = narrow.audit.beside(application, sessions);
    }
    let running = Running::start(&projections, Workers::default());
    let token = narrow.bench.put(&a, deposit(4)).await;
    narrow.bench.caught_up("balance", "account").await;
    sweep("ViewsAt::get", async |cut| {
        let row = cut.of(balances(&projections).at_least(&token).get(&a)).await;
        narrow.nothing_left().await;
        row.is_some_and(|row| row.unwrap().unwrap().cents == 7)
    })
    .await;
    running.end().await;
    // Nobody works: it looks ahead, waits, and asks why.
    let token = narrow.bench.put(&a, deposit(1)).await;
    sweep("ViewsAt::get, in vain", async |cut| {
        let wait = balances(&projections).at_least(&token).timeout(Duration::from_millis(20));
        let row = cut.of(wait.get(&a)).await;
        narrow.nothing_left().await;
        row.is_some_and(|row| row.is_err())
    })
    .await;
}
