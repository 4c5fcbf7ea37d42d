//! Many slice classes on few rows, and the check that would notice a loss.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use foldlog_core::{Recorded, SliceClass, Tenant};
use foldlog_eventstore::{Request, any};
use foldlog_projections::{Batch, BoxError, Projection, Registered, Workers};
use sqlx::{PgConnection, PgPool, Row};
use tokio::sync::Barrier;

use crate::domain::{Tally, VoteEvent};
use crate::support::{Bench, Running};

const ROWS: [i32; 3] = [1, 2, 3];

/// A stream of each class.
fn ballots() -> Vec<String> {
    let ballot = |class: SliceClass| {
        let of = |id: &String| SliceClass::of_key(16, format!("vote-{id}").as_bytes());
        (0..).map(|n| format!("b{n}")).find(|id| of(id) == Some(class)).unwrap()
    };
    SliceClass::all(16).map(ballot).collect()
}

/// One event for each class, all in one append, so that the classes set out together. Sums return to
/// nought again and again: rows go while other classes wait for them.
async fn cast(bench: &Bench, ballots: &[String], round: usize) {
    let events = ballots.iter().zip(0_usize..).map(|(id, n)| {
        let by = if (n + round).is_multiple_of(2) { 1 } else { -1 };
        let one = ROWS.get((n / 2 + round) % 3).copied().unwrap();
        let rows = if n % 5 == 0 { ROWS.to_vec() } else { vec![one] };
        let votes: Vec<VoteEvent> =
            (0..1 + n % 3).map(|_| VoteEvent::Cast { rows: rows.clone(), by }).collect();
        any(id, votes)
    });
    bench.store.append(&Request::new(events).unwrap()).await.unwrap();
}

/// What the sums must be: addition asks for no order.
async fn sums(bench: &Bench) -> BTreeMap<i32, i64> {
    let mut sums = BTreeMap::new();
    for raw in bench.events("vote").await {
        let VoteEvent::Cast { rows, by } = raw.typed::<VoteEvent>().unwrap().event;
        for row in rows {
            *sums.entry(row).or_insert(0) += by;
        }
    }
    sums.retain(|_, sum| *sum != 0);
    sums
}

/// What a table of sums says: the check that both the view and the planted bug have to pass.
async fn stored(bench: &Bench, table: &str) -> BTreeMap<i32, i64> {
    let rows = bench.rows(&format!("select row, sum from {table} where sum <> 0")).await;
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

#[tokio::test]
async fn sixteen_classes_of_two_processes_lose_nothing_on_three_rows_that_come_and_go() {
    let bench = Bench::new().await;
    let ballots = ballots();
    let first = bench.open([Registered::view::<Tally>().unwrap()]).await;
    let second = bench.open([Registered::view::<Tally>().unwrap()]).await;
    for round in 0..3 {
        cast(&bench, &ballots, round).await;
    }
    let eight = || Workers::default().claims_max(8);
    let running = [Running::start(&first, eight()), Running::start(&second, eight())];
    bench
        .until(
            "select count(*) = 2 and min(n) = 8 from
            (select count(*) n from foldlog.checkpoint where owner is not null group by owner) x",
        )
        .await;
    for round in 3..40 {
        cast(&bench, &ballots, round).await;
    }
    bench.caught_up("tally", "vote").await;
    assert_eq!(stored(&bench, "foldlog_view.tally").await, sums(&bench).await);
    bench.assert_folded::<Tally>().await;
    // Nobody else may see the blank rows that were only made to be locked.
    let blank: i64 =
        bench.value("select count(*) from foldlog_view.tally where foldlog_version = 0").await;
    assert_eq!(blank, 0);
    for running in running {
        running.end().await;
    }
}

#[tokio::test]
async fn a_read_of_a_row_of_many_classes_waits_for_all_of_them() {
    let bench = Bench::new().await;
    let ballots = ballots();
    let projections = bench.open([Registered::view::<Tally>().unwrap()]).await;
    let running = Running::start(&projections, Workers::default());
    for n in 1..=20 {
        let events = ballots.iter().map(|id| any(id, VoteEvent::Cast { rows: vec![7], by: 1 }));
        let token = bench.store.append(&Request::new(events).unwrap()).await.unwrap().token;
        let row = projections.view::<Tally>(Tenant::default()).at_least(&token).get(&7).await;
        assert_eq!(row.unwrap().unwrap().sum, 16 * n);
    }
    running.end().await;
}

#[tokio::test]
async fn a_row_deleted_while_another_class_waits_for_it_is_made_again() {
    let bench = Bench::new().await;
    let ballots = ballots();
    let [first, second, ..] = ballots.as_slice() else { panic!() };
    let projections = bench.open([Registered::view::<Tally>().unwrap()]).await;
    bench.put(first, VoteEvent::Cast { rows: vec![5], by: 3 }).await;
    let running = Running::start(&projections, Workers::default());
    bench.caught_up("tally", "vote").await;
    // Both classes stand before the row, then it is gone.
    let mut holder =
        bench.holding("select 1 from foldlog_view.tally where row = 5 for update").await;
    bench.put(first, VoteEvent::Cast { rows: vec![4, 5, 6], by: 10 }).await;
    bench.put(second, VoteEvent::Cast { rows: vec![5], by: 100 }).await;
    bench.workers_waiting(2).await;
    crate::support::run(&mut holder, "delete from foldlog_view.tally where row = 5; commit").await;
    bench.caught_up("tally", "vote").await;
    // The deletion, which no event asked for, took the first three; all else is there.
    let expected = BTreeMap::from([(4, 10), (5, 110), (6, 10)]);
    assert_eq!(stored(&bench, "foldlog_view.tally").await, expected);
    running.end().await;
}

/// The planted bug: rows loaded on another connection, folded, and saved in the transaction.
#[derive(Clone)]
struct LoadsOutside {
    pool: PgPool,
    // The first two classes save only when both have loaded: the interleaving that loses.
    together: Arc<Barrier>,
    loads: Arc<AtomicUsize>,
}

impl Projection for LoadsOutside {
    const NAME: &'static str = "planted";
    const CLASSES: u16 = 16;
    type Event = VoteEvent;

    async fn apply(
        &mut self,
        conn: &mut PgConnection,
        batch: &Batch<VoteEvent>,
    ) -> Result<(), BoxError> {
        let mut sums: BTreeMap<i32, i64> = BTreeMap::new();
        for event in batch {
            let event: &Recorded<VoteEvent> = event;
            let VoteEvent::Cast { rows, by } = &event.event;
            for row in rows {
                *sums.entry(*row).or_insert(0) += by;
            }
        }
        for (row, sum) in &mut sums {
            let loaded: Option<i64> =
                sqlx::query_scalar("select sum from public.planted where row = $1")
                    .bind(row)
                    .fetch_optional(&self.pool)
                    .await?;
            *sum += loaded.unwrap_or(0);
        }
        if self.loads.fetch_add(1, Ordering::SeqCst) < 2 {
            self.together.wait().await;
        }
        for (row, sum) in sums {
            sqlx::query(
                "insert into public.planted values ($1, $2)
                on conflict (row) do update set sum = excluded.sum",
            )
            .bind(row)
            .bind(sum)
            .execute(&mut *conn)
            .await?;
        }
        Ok(())
    }
}

#[tokio::test]
async fn the_check_for_losses_catches_rows_that_are_loaded_outside_the_transaction() {
    let bench = Bench::new().await;
    bench.run("create table public.planted (row integer primary key, sum bigint)").await;
    let planted = LoadsOutside {
        pool: bench.database.pool().clone(),
        together: Arc::new(Barrier::new(2)),
        loads: Arc::default(),
    };
    let projections = bench.open([Registered::projection(planted).unwrap()]).await;
    // Whichever two classes come first: each adds to every row, so one of them is overwritten.
    let events = ballots();
    let events = events.iter().map(|id| any(id, VoteEvent::Cast { rows: ROWS.to_vec(), by: 1 }));
    bench.store.append(&Request::new(events).unwrap()).await.unwrap();
    let running = Running::start(&projections, Workers::default());
    bench.caught_up("planted", "vote").await;
    let (stored, sums) = (stored(&bench, "public.planted").await, sums(&bench).await);
    assert_ne!(stored, sums, "the check notices nothing");
    running.end().await;
}

#[tokio::test]
async fn a_process_never_claims_more_classes_than_it_may() {
    let bench = Bench::new().await;
    let projections = bench.open([Registered::view::<Tally>().unwrap()]).await;
    // However the server plans it: the claim reads its candidates once.
    for setting in ["enable_hashjoin", "enable_mergejoin", "enable_material", "enable_memoize"] {
        let name = bench.database.name();
        bench.run(&format!("alter database {name} set {setting} = off")).await;
    }
    for analyzed in [false, true] {
        if analyzed {
            bench.run("analyze foldlog.checkpoint, foldlog.projection").await;
        }
        for claims in [1, 3, 16] {
            let running = Running::start(&projections, Workers::default().claims_max(claims));
            let sql = "select count(*) from foldlog.checkpoint where owner is not null";
            bench.until(&format!("select ({sql}) > 0")).await;
            assert_eq!(bench.value::<i64>(sql).await, i64::try_from(claims).unwrap());
            running.end().await;
        }
    }
}
