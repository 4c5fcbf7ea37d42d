//! What is seen from outside: the warning of the monitor, the rate of idle checkpoints, the
//! statements as the server takes them.

use std::fmt::Write as _;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use foldlog_core::{ErrorKind, Tenant};
use foldlog_projections::{Registered, Workers};
use tokio_util::sync::CancellationToken;

use crate::domain::{Balance, Tally, VoteEvent, account, deposit};
use crate::hand::scribe;
use crate::support::{Bench, Running, status};

/// What was logged by this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_view_that_nobody_owns_is_named_within_ten_seconds_and_an_owned_one_is_not() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::WARN)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let bench = Bench::new().await;
    // "hand" is worked on elsewhere; "tally" only in part, which is a view that grows stale, too.
    let elsewhere = bench.open([scribe("elsewhere"), Registered::view::<Tally>().unwrap()]).await;
    let running = Running::start(&elsewhere, Workers::default().claims_max(1 + 12));
    bench.until("select count(*) = 13 from foldlog.checkpoint where owner is not null").await;
    let here = bench.open([Registered::view::<Balance>().unwrap()]).await;
    let stop = CancellationToken::new();
    let (watching, until) = (here.clone(), stop.clone());
    let watch = tokio::spawn(async move { watching.watch(until).await });
    let begun = Instant::now();
    foldlog_testkit::wait_until(Duration::from_secs(10), async || {
        let text = log.text();
        text.contains("no live worker owns view balance (4 of 4 slice classes)")
            && text.contains("no live worker owns view tally (4 of 16 slice classes)")
    })
    .await;
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert!(!log.text().contains("view hand"), "{}", log.text());
    stop.cancel();
    watch.await.unwrap();
    running.end().await;
}

#[tokio::test]
async fn an_idle_class_moves_on_but_no_more_than_once_a_second() {
    let bench = Bench::new().await;
    bench
        .run(
            "create table public.moved (remainder smallint, at timestamptz default clock_timestamp());
            create function public.moved() returns trigger language plpgsql as $$
            begin insert into public.moved values (new.remainder); return null; end $$;
            create trigger moved after update of position on foldlog.checkpoint
            for each row execute function public.moved()",
        )
        .await;
    let projections = bench.open([Registered::view::<Balance>().unwrap()]).await;
    let running = Running::start(&projections, Workers::default());
    bench.until("select bool_and(owner is not null) from foldlog.checkpoint").await;
    // Other categories only; each append wakes the workers.
    let begun = Instant::now();
    while bench
        .value::<i64>(
            "select coalesce(min(n), 0) from (select count(m.at) n
        from foldlog.checkpoint c left join public.moved m using (remainder) group by remainder) x",
        )
        .await
        < 3
    {
        bench.put(&"other".to_owned(), VoteEvent::Cast { rows: vec![1], by: 1 }).await;
        assert!(begun.elapsed() < Duration::from_secs(20), "idle classes stand still");
    }
    let positions: i64 = bench.value("select min(position) from foldlog.checkpoint").await;
    assert!(positions > 0);
    let closest: f64 = bench
        .value(
            "select min(extract(epoch from at - before))::float8 from (select at,
            lag(at) over (partition by remainder order by at) before from public.moved) x",
        )
        .await;
    assert!(closest > 0.9, "two idle checkpoints within {closest} s");
    running.end().await;
}

/// The statements with the types of their parameters, as the driver binds them.
const TYPES: &[(&str, &str)] = &[
    ("projection_lock", "text"),
    ("projection_read", "text"),
    ("projection_insert", "text, integer, text"),
    ("projection_end", "text, bigint, text"),
    ("checkpoint_insert", "text, integer, integer"),
    ("checkpoint_claim", "text, integer, text, double precision, bigint, boolean"),
    (
        "checkpoint_renew",
        "text, double precision, text[], integer[], smallint[], smallint[], bigint[]",
    ),
    ("checkpoint_position", "text, integer, smallint, smallint, bigint"),
    ("checkpoint_commit", "text, integer, smallint, smallint, bigint, bigint, bigint"),
    ("checkpoint_release", "text, integer, smallint, smallint, bigint, bigint, text"),
    ("checkpoint_release_all", "text"),
    ("checkpoint_read", "text"),
];

#[tokio::test]
async fn every_statement_is_one_that_the_server_takes() {
    let bench = Bench::new().await;
    let mut prepare = String::new();
    for (name, sql) in foldlog_projections::STATEMENTS {
        let types = TYPES.iter().find(|(known, _)| known == name).map(|(_, types)| types);
        let types = types.unwrap_or_else(|| panic!("{name} has no types here"));
        writeln!(prepare, "prepare {name} ({types}) as {sql};").unwrap();
        assert!(sql.starts_with(&format!("-- {name}: ")), "{name} says what it is");
    }
    bench.run(&prepare).await;
    assert_eq!(TYPES.len(), foldlog_projections::STATEMENTS.len());
}

#[tokio::test]
async fn workers_and_reads_do_not_depend_on_the_databases_isolation_level() {
    for level in ["repeatable read", "serializable"] {
        let bench = Bench::new().await;
        let name = bench.database.name();
        let set = format!("alter database {name} set default_transaction_isolation = '{level}'");
        bench.run(&set).await;
        // The pool's sessions, too, begin anew under it.
        bench.kill_pool().await;
        let registered =
            [Registered::view::<Balance>().unwrap(), Registered::view::<Tally>().unwrap()];
        let projections = bench.open(registered).await;
        let running = Running::start(&projections, Workers::default());
        let views = projections.view::<Balance>(Tenant::default());
        for n in 1..=10 {
            bench.put(&"b".to_owned(), VoteEvent::Cast { rows: vec![1, 2], by: 1 }).await;
            let token = bench.put(&account("a"), deposit(1)).await;
            assert_eq!(views.fresh(&account("a")).await.unwrap().unwrap().events, n);
            let views = projections.view::<Balance>(Tenant::default());
            let row = views.at_least(&token).get(&account("a")).await.unwrap();
            assert_eq!(row.unwrap().events, n);
        }
        bench.caught_up("tally", "vote").await;
        bench.assert_folded::<Tally>().await;
        assert!(status(&projections, "tally").await.iter().all(|s| s.stopped.is_none()));
        running.end().await;
    }
}

#[tokio::test]
async fn what_can_not_be_registered_is_refused_by_name() {
    #[derive(Clone)]
    struct Odd;
    impl foldlog_projections::Projection for Odd {
        const NAME: &'static str = "odd";
        const CLASSES: u16 = 3;
        type Event = VoteEvent;
        async fn apply(
            &mut self,
            _: &mut sqlx::PgConnection,
            _: &foldlog_projections::Batch<VoteEvent>,
        ) -> Result<(), foldlog_projections::BoxError> {
            Ok(())
        }
    }
    let error = Registered::projection(Odd).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("odd has 3 slice classes"), "{error}");
}
