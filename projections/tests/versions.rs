//! Versions: what may stand beside what the database knows, and what becomes of the old.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use foldlog_core::{ErrorKind, Fold, Recorded, Row as Fate, Tenant};
use foldlog_derive::View;
use foldlog_projections::{ReadError, Registered, Workers};
use serde::{Deserialize, Serialize};

use crate::domain::{AccountEvent, AccountId, Balance, Tally, VoteEvent, account, deposit};
use crate::hand::{hand, scribe};
use crate::support::{Bench, PATIENCE, Running, status};

/// The view "balance" as it may be in other programs.
macro_rules! balances {
    ($($module:ident, version = $version:literal, classes = $classes:literal;)*) => {$(
        mod $module {
            use super::*;

            #[derive(View, Clone, Debug, PartialEq, Serialize, Deserialize)]
            #[view(name = "balance", version = $version, classes = $classes)]
            pub(super) struct Balance {
                #[key(stream)]
                pub(super) account: AccountId,
                pub(super) deposits: i64,
            }

            impl Fold for Balance {
                type Event = AccountEvent;

                fn apply(&mut self, event: &Recorded<AccountEvent>) -> Fate {
                    self.deposits += i64::from(matches!(event.event, AccountEvent::Deposited { .. }));
                    Fate::Keep
                }
            }
        }
    )*};
}
balances! {
    changed, version = 1, classes = 4;
    second, version = 2, classes = 16;
    last, version = 2147483647, classes = 1;
}

const STATE: &str = "select string_agg(x::text, ' ' order by x::text) from (
    select to_jsonb(p) - 'created_at' from foldlog.projection p
    union all select to_jsonb(c) from foldlog.checkpoint c
    union all select to_jsonb(a.attname) from pg_attribute a
        where a.attrelid = 'foldlog_view.balance'::regclass
    union all select to_jsonb(b) from foldlog_view.balance b) s(x)";

fn first() -> Registered {
    Registered::view::<Balance>().unwrap()
}

/// A view by stream that has taken in a few events.
async fn filled() -> Bench {
    let bench = Bench::new().await;
    let projections = bench.open([first()]).await;
    bench.put(&account("a"), [deposit(1), deposit(2), AccountEvent::Withdrawn { cents: 1 }]).await;
    let running = Running::start(&projections, Workers::default());
    bench.caught_up("balance", "account").await;
    running.end().await;
    bench
}

#[tokio::test]
async fn a_definition_changed_under_the_same_version_is_refused_and_nothing_is_changed() {
    let bench = filled().await;
    let before: String = bench.value(STATE).await;
    let changed = || Registered::view::<changed::Balance>().unwrap();
    // Whatever is registered beside it, before or after.
    let attempts =
        [vec![changed()], vec![changed(), scribe("new")], vec![scribe("new"), changed()]];
    for registered in attempts {
        let error = bench.try_open(registered).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Setup);
        assert!(error.to_string().contains("balance"), "{error}");
        assert_eq!(bench.value::<String>(STATE).await, before);
    }
    bench.open([first()]).await;
    assert_eq!(bench.value::<String>(STATE).await, before);
}

#[tokio::test]
async fn a_raised_version_begins_anew_and_ends_the_old_workers() {
    let bench = filled().await;
    let old = bench.open([first()]).await;
    let old_running = Running::start(&old, Workers::default());
    bench.until("select bool_and(owner is not null) from foldlog.checkpoint").await;
    let new = bench.open([Registered::view::<second::Balance>().unwrap()]).await;
    assert_eq!(status(&new, "balance").await.len(), 16);
    let new_running = Running::start(&new, Workers::default());
    let token = bench.put(&account("a"), deposit(3)).await;
    let id = account("a");
    let row = new.view::<second::Balance>(Tenant::default()).at_least(&token).get(&id).await;
    assert_eq!(row.unwrap().unwrap().deposits, 3);
    bench.caught_up("balance", "account").await;
    bench.assert_folded::<second::Balance>().await;
    let versions: i64 = bench
        .value("select count(*) from foldlog.checkpoint where version = 1 and position > 0")
        .await;
    assert_eq!(versions, 0, "nothing of the old version moves on");
    // The old program reads nothing of the new one's rows for its own, and can't come back.
    let views = old.view::<Balance>(Tenant::default());
    assert_eq!(views.fresh(&id).await.unwrap_err().kind(), ErrorKind::Setup);
    let error = bench.try_open([first()]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Setup);
    assert!(error.to_string().contains("version 2 in the database"), "{error}");
    old_running.end().await;
    new_running.end().await;
}

#[tokio::test]
async fn a_view_retired_in_a_running_process_ends_there_and_begins_anew_when_registered_again() {
    let bench = filled().await;
    let here = bench.open([first(), scribe("hand")]).await;
    let running = Running::start(&here, Workers::default());
    bench.caught_up("hand", "account").await;
    let elsewhere = bench.open([first()]).await;
    elsewhere.retire("balance").await.unwrap();
    assert!(status(&here, "balance").await.is_empty());
    assert!(bench.value::<bool>("select to_regclass('foldlog_view.balance') is null").await);
    let id = account("a");
    let views = here.view::<Balance>(Tenant::default());
    let gone = [
        views.fresh(&id).await.unwrap_err(),
        match views.get(&id).await.unwrap_err() {
            ReadError::Store(error) => error,
            other => panic!("{other}"),
        },
    ];
    for error in gone {
        assert_eq!(error.kind(), ErrorKind::Setup, "{error:?}");
        assert!(error.to_string().contains("retired"), "{error}");
    }
    let token = bench.put(&id, deposit(3)).await;
    bench.caught_up("hand", "account").await;
    // The same version again, and the process that never stopped takes it up.
    bench.open([first()]).await;
    let row = views.at_least(&token).timeout(PATIENCE).get(&id).await.unwrap().unwrap();
    assert_eq!(row.events, 4);
    bench.assert_folded::<Balance>().await;
    // A batch handler's tables are its own.
    elsewhere.retire("hand").await.unwrap();
    bench.assert_ledger_is_exact().await;
    running.end().await;
}

#[tokio::test]
async fn after_a_view_was_retired_any_definition_may_take_its_name() {
    let bench = filled().await;
    let projections = bench.open([Registered::view::<last::Balance>().unwrap()]).await;
    assert_eq!(status(&projections, "balance").await.len(), 1);
    projections.retire("balance").await.unwrap();
    assert!(status(&projections, "balance").await.is_empty(), "the highest version of all");
    let projections = bench.open([Registered::view::<changed::Balance>().unwrap()]).await;
    let running = Running::start(&projections, Workers::default());
    bench.caught_up("balance", "account").await;
    bench.assert_folded::<changed::Balance>().await;
    running.end().await;
}

#[tokio::test]
async fn retiring_a_view_under_a_busy_worker_deadlocks_with_nobody() {
    let bench = filled().await;
    let name = bench.database.name();
    bench.run(&format!("alter database {name} set deadlock_timeout = '50ms'")).await;
    let projections = bench.open([first()]).await;
    let running = Running::start(&projections, Workers::default());
    bench.until("select bool_and(owner is not null) from foldlog.checkpoint").await;
    for n in 0..4 {
        // The worker has written its rows and stands before its checkpoint; retiring waits for it.
        let sql = "select from foldlog.checkpoint where remainder < 4 for update";
        let mut holder = bench.holding(sql).await;
        bench.put(&account("a"), deposit(n)).await;
        bench.workers_waiting(1).await;
        let other = projections.clone();
        let retiring = tokio::spawn(async move { other.retire("balance").await });
        bench
            .until(
                "select count(*) = 1 from pg_stat_activity where wait_event_type = 'Lock'
                and datname = current_database() and application_name = 'foldlog retire'",
            )
            .await;
        crate::support::run(&mut holder, "rollback").await;
        retiring.await.unwrap().unwrap();
        bench.open([first()]).await;
        bench.caught_up("balance", "account").await;
        bench.assert_folded::<Balance>().await;
    }
    running.end().await;
}

#[tokio::test]
async fn a_batch_that_meets_its_table_gone_ends_as_fenced_and_stops_nothing() {
    let bench = Bench::new().await;
    let retired = Arc::new(AtomicBool::new(false));
    let (is_retired, pool) = (retired.clone(), bench.database.pool().clone());
    let act = hand::<1>(move |conn, _| {
        let (first, pool) = (!is_retired.swap(true, Ordering::SeqCst), pool.clone());
        Box::pin(async move {
            if first {
                // As retiring and registering again does.
                let sql = "update foldlog.checkpoint set epoch = epoch + 1, owner = null,
                    lease_until = null";
                sqlx::query(sql).execute(&pool).await?;
                sqlx::query("select from public.gone").execute(conn).await?;
            }
            Ok(())
        })
    });
    let projections = bench.open([act]).await;
    bench.put(&account("a"), deposit(1)).await;
    let running = Running::start(&projections, Workers::default());
    bench.caught_up("hand", "account").await;
    assert_eq!(status(&projections, "hand").await.remove(0).stopped, None);
    running.end().await;
}

#[tokio::test]
async fn processes_that_start_at_once_set_up_one_and_the_same() {
    let bench = Bench::new().await;
    let registered = || [first(), Registered::view::<Tally>().unwrap(), scribe("one")];
    let handles = futures_util::future::join_all((0..8).map(|_| bench.open(registered()))).await;
    let all = handles.first().unwrap().status().await.unwrap();
    assert_eq!(all.len(), 4 + 16 + 1);
    let running: Vec<_> = handles
        .iter()
        .map(|handle| Running::start(handle, Workers::default().claims_max(3)))
        .collect();
    bench.put(&account("a"), deposit(1)).await;
    bench.put(&"b".to_owned(), VoteEvent::Cast { rows: vec![1], by: 1 }).await;
    bench.caught_up("balance", "account").await;
    bench.caught_up("tally", "vote").await;
    bench.caught_up("hand", "account").await;
    bench.assert_folded::<Balance>().await;
    bench.assert_folded::<Tally>().await;
    bench.assert_ledger_is_exact().await;
    for running in running {
        running.end().await;
    }
}
