//! A commit that waits for a synchronous standby, which is not there. It is flushed here and may be
//! lost with this machine: nobody is shown it before the wait ends.

use foldlog_core::Expected::{Any, NoStream};
use foldlog_core::{ErrorKind, Position, Source};
use foldlog_eventstore::{AppendError, Appended};
use foldlog_pg::settled;
use foldlog_testkit::{Cluster, wait_until};
use sqlx::PgConnection;
use tokio::task::JoinHandle;

use crate::readers::{Follower, Recipe};
use crate::support::{Bench, PATIENCE, failure, noted, number, request, run, text};

const WAITING: &str = "select count(*) from pg_stat_activity where wait_event = 'SyncRep'";
const WAITS_FOR: &str =
    "select coalesce(min(pid), 0)::bigint from pg_stat_activity where wait_event = 'SyncRep'";

/// Sets which standbys are waited for, and waits until the sessions know.
async fn wait_for(bench: &mut Bench<Cluster>, standbys: &str) {
    bench.database.set("synchronous_standby_names", standbys);
    bench.database.reload();
    let mut session = bench.session().await;
    let show = "show synchronous_standby_names";
    wait_until(PATIENCE, async || text(&mut session, show).await == standbys).await;
}

/// A store with one event, and an append that waits for its standby.
async fn waiting() -> (Bench<Cluster>, JoinHandle<Result<Appended, AppendError>>) {
    let mut bench = Bench::alone(&[]).await;
    bench.append("note-before", Any, 1).await;
    wait_for(&mut bench, "*").await;
    let appending = bench.appending(request([noted("note-waiting", NoStream, 1)]));
    wait_for_waiters(&bench, 1).await;
    (bench, appending)
}

async fn wait_for_waiters(bench: &Bench<Cluster>, count: i64) {
    let mut session = bench.session().await;
    wait_until(PATIENCE, async || number(&mut session, WAITING).await == count).await;
}

async fn end(session: &mut PgConnection, how: &str) -> i64 {
    let pid = number(session, WAITS_FOR).await;
    let sql = format!("select {how}({pid})");
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(session).await.unwrap();
    pid
}

#[tokio::test]
async fn a_commit_that_waits_for_its_standby_is_not_delivered_and_is_named() {
    let (mut bench, appending) = waiting().await;
    let mut reader = Follower::new(&bench, Recipe::Ours).await;
    assert_eq!(reader.poll().await, ["note-before@1"]);
    assert!(bench.stream("note-waiting").await.is_empty(), "no read shows it");
    let mut session = bench.session().await;
    let holder = settled::holder(&mut session, settled::EVENT_LOG).await.unwrap().unwrap();
    assert_eq!(holder.pid.map(i64::from), Some(number(&mut session, WAITS_FOR).await));
    assert_eq!(holder.bound, Position::new(1));
    let words = bench.store.blocker().await.unwrap().unwrap();
    assert!(words.contains("waits for a synchronous standby"), "{words}");
    // One behind it, on the same stream, which must not be delivered first.
    let second = bench.appending(request([noted("note-waiting", Any, 2)]));
    bench.waiting(1).await;
    assert!(!appending.is_finished() && !second.is_finished());
    wait_for(&mut bench, "").await;
    appending.await.unwrap().unwrap();
    second.await.unwrap().unwrap();
    assert_eq!(reader.poll().await, ["note-waiting@1", "note-waiting@2"]);
}

#[tokio::test]
async fn a_cancelled_wait_for_a_standby_is_an_append_like_any_other() {
    let (bench, appending) = waiting().await;
    let mut reader = Follower::new(&bench, Recipe::Ours).await;
    reader.poll().await;
    end(&mut bench.session().await, "pg_cancel_backend").await;
    // PostgreSQL answers as if the standby had it, with a warning to the session alone.
    assert!(!appending.await.unwrap().unwrap().repeated);
    assert_eq!(reader.poll().await, ["note-waiting@1"]);
    assert!(bench.store.blocker().await.unwrap().is_none());
}

#[tokio::test]
async fn a_session_ended_while_it_waits_for_its_standby_is_repeated_once_and_waits_again() {
    let (mut bench, appending) = waiting().await;
    let mut session = bench.session().await;
    let first = end(&mut session, "pg_terminate_backend").await;
    // The repeat finds what the first left; its answer waits for the standby, too.
    let next = "select coalesce(max(pid), 0)::bigint from pg_stat_activity
        where wait_event = 'SyncRep'";
    wait_until(PATIENCE, async || {
        let pid = number(&mut session, next).await;
        pid != 0 && pid != first
    })
    .await;
    assert!(!appending.is_finished());
    wait_for(&mut bench, "").await;
    assert!(appending.await.unwrap().unwrap().repeated);
    assert_eq!(bench.all().await, ["note-before@1", "note-waiting@1"]);
}

#[tokio::test]
async fn an_append_whose_answer_was_lost_is_not_denied_by_a_server_that_takes_no_writes_now() {
    let (mut bench, appending) = waiting().await;
    let mut session = bench.session().await;
    // For sessions that begin from now on, as the one of the repeat.
    run(&mut session, "alter system set default_transaction_read_only = on").await;
    bench.database.reload();
    let show = "show default_transaction_read_only";
    wait_until(PATIENCE, async || text(&mut session, show).await == "on").await;
    end(&mut session, "pg_terminate_backend").await;
    let error = failure(appending.await.unwrap());
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    // It was made, and that it was not is what nobody may have been told.
    run(&mut session, "set default_transaction_read_only = off").await;
    run(&mut session, "alter system reset default_transaction_read_only").await;
    wait_for(&mut bench, "").await;
    assert_eq!(bench.all().await, ["note-before@1", "note-waiting@1"]);
}

#[tokio::test]
async fn a_crash_while_a_commit_waits_for_its_standby_leaves_it_done_and_told_apart() {
    let (mut bench, appending) = waiting().await;
    bench.crash().await;
    // It was flushed before it waited, and nobody has acknowledged or denied it.
    let mut reader = Follower::new(&bench, Recipe::Ours).await;
    assert_eq!(reader.poll().await, ["note-before@1", "note-waiting@1"]);
    // The call repeats itself and finds it; that answer waits for the standby, as the first did.
    wait_for_waiters(&bench, 1).await;
    assert!(!appending.is_finished());
    wait_for(&mut bench, "").await;
    assert!(appending.await.unwrap().unwrap().repeated);
    assert!(reader.poll().await.is_empty());
    assert_eq!(bench.stream("note-waiting").await.len(), 1);
}
