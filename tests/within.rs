//! Commands in a transaction of the caller's.

use std::time::{Duration, Instant};

use foldlog::prelude::*;
use foldlog::{ErrorKind, Source as _};
use foldlog_testkit::TestDatabase;
use sqlx::Connection as _;
use uuid::Uuid;

use crate::bank::{Account, Deposit, Short, Withdraw, account, bench, stored};

async fn transfers(database: &TestDatabase) -> i64 {
    sqlx::query_scalar("select count(*) from transfer").fetch_one(database.pool()).await.unwrap()
}

async fn with_table(database: &TestDatabase) {
    sqlx::query("create table transfer (cents bigint)").execute(database.pool()).await.unwrap();
}

#[tokio::test]
async fn rows_and_events_commit_together() {
    let (database, app) = bench().await;
    with_table(&database).await;
    let (ada, bob) = (account("ada"), account("bob"));
    app.execute(&ada, Deposit(9)).await.unwrap();

    let mut tx = database.pool().begin().await.unwrap();
    let taken = app.execute(&ada, Withdraw(4)).within(&mut tx).await.unwrap();
    let given = app.execute(&bob, Deposit(4)).expect_version(0).within(&mut tx).await.unwrap();
    sqlx::query("insert into transfer values (4)").execute(&mut *tx).await.unwrap();
    assert_eq!((taken.reply, taken.version, given.reply, given.version), (5, 2, 4, 1));
    assert_eq!((stored(&database).await, transfers(&database).await), (1, 0));
    tx.commit().await.unwrap();
    assert_eq!((stored(&database).await, transfers(&database).await), (3, 1));

    let (taken, given) = (taken.token.after_commit(), given.token.after_commit());
    assert_eq!(taken, app.load::<Account>(&ada).await.unwrap().token);
    assert_eq!(given, app.load::<Account>(&bob).await.unwrap().token);
}

#[tokio::test]
async fn a_rollback_leaves_nothing() {
    let (database, app) = bench().await;
    let (ada, key) = (account("ada"), Uuid::now_v7());
    let mut tx = database.pool().begin().await.unwrap();
    let done = app.execute(&ada, Deposit(4)).within(&mut tx).command_id(key).await.unwrap();
    assert!(!done.repeated);
    tx.rollback().await.unwrap();
    assert_eq!(stored(&database).await, 0);
    assert_eq!(app.load::<Account>(&ada).await.unwrap().version, 0);
    // Not even the receipt: the command runs as if for the first time.
    let done = app.execute(&ada, Deposit(4)).command_id(key).await.unwrap();
    assert_eq!((done.reply, done.repeated), (4, false));
}

#[tokio::test]
async fn commands_of_one_transaction_see_each_other() {
    let (database, app) = bench().await;
    let ada = account("ada");
    for isolation in ["read committed", "repeatable read", "serializable"] {
        let mut tx = database.pool().begin().await.unwrap();
        let set = format!("set transaction isolation level {isolation}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(set)).execute(&mut *tx).await.unwrap();
        let before = app.execute(&ada, Deposit(4)).within(&mut tx).await.unwrap();
        let error = app.execute(&ada, Withdraw(999)).within(&mut tx).await.unwrap_err();
        assert!(matches!(error, ExecuteError::Rejected(Short { .. })));
        let after = app.execute(&ada, Withdraw(4)).within(&mut tx).await.unwrap();
        assert_eq!((after.reply, after.version), (0, before.version + 1), "{isolation}");
        tx.commit().await.unwrap();
        let (before, after) = (before.token.after_commit(), after.token.after_commit());
        assert!(after.position() > before.position());
    }
    assert_eq!(app.load::<Account>(&ada).await.unwrap().version, 6);
}

#[tokio::test]
async fn a_command_id_is_recognised_inside_and_outside_of_transactions() {
    let (database, app) = bench().await;
    let (ada, key) = (account("ada"), Uuid::now_v7());
    let mut tx = database.pool().begin().await.unwrap();
    let first = app.execute(&ada, Deposit(4)).command_id(key).within(&mut tx).await.unwrap();
    let again = app.execute(&ada, Deposit(4)).within(&mut tx).command_id(key).await.unwrap();
    assert_eq!((first.repeated, again.repeated, again.reply), (false, true, 4));
    app.execute(&ada, Withdraw(4)).within(&mut tx).await.unwrap();
    tx.commit().await.unwrap();

    let outside = app.execute(&ada, Deposit(4)).command_id(key).await.unwrap();
    assert_eq!((outside.reply, outside.version, outside.repeated), (4, 1, true));
    let mut tx = database.pool().begin().await.unwrap();
    let metadata = Metadata::new();
    let inside = app.execute(&ada, Deposit(4)).within(&mut tx).metadata(metadata).command_id(key);
    assert!(inside.await.unwrap().repeated);
    assert_eq!(stored(&database).await, 2);
}

#[tokio::test]
async fn a_conflict_leaves_the_transaction_usable() {
    let (database, app) = bench().await;
    with_table(&database).await;
    let ada = account("ada");
    app.execute(&ada, Deposit(4)).await.unwrap();
    let mut tx = database.pool().begin().await.unwrap();
    let stale = app.execute(&ada, Deposit(4)).expect_version(0).within(&mut tx);
    let error = stale.await.unwrap_err();
    assert!(matches!(error, ExecuteError::Conflict { actual: 1, .. }), "{error:?}");
    // One found by the append itself, which the server judges.
    let old = no_stream(&ada, [crate::bank::AccountEvent::Deposited { cents: 1 }]);
    let error = app.append_in(&mut tx, [old]).await.unwrap_err();
    assert!(matches!(error, AppendError::Conflict { actual: 1, .. }), "{error:?}");
    sqlx::query("insert into transfer values (0)").execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!((stored(&database).await, transfers(&database).await), (1, 1));
}

#[tokio::test]
async fn a_snapshot_that_has_grown_old_is_to_be_retried() {
    let (database, app) = bench().await;
    let ada = account("ada");
    for new_stream in [true, false] {
        let mut tx =
            database.pool().begin_with("begin isolation level repeatable read").await.unwrap();
        sqlx::query("select 1").execute(&mut *tx).await.unwrap();
        app.execute(&ada, Deposit(1)).await.unwrap();
        let late = app.execute(&ada, Deposit(1)).within(&mut tx).await.unwrap_err();
        let ExecuteError::Store(error) = late else { panic!("{new_stream} {late:?}") };
        assert_eq!(error.kind(), ErrorKind::Retry, "{new_stream} {error}");
        assert!(error.is_retryable());
        tx.rollback().await.unwrap();
    }
    assert_eq!(stored(&database).await, 2);
}

#[tokio::test]
async fn a_stream_that_stays_locked_is_busy() {
    let (database, app) = bench().await;
    let ada = account("ada");
    app.execute(&ada, Deposit(4)).await.unwrap();
    let mut holder = database.pool().begin().await.unwrap();
    app.execute(&ada, Deposit(4)).within(&mut holder).await.unwrap();

    let mut tx = database.pool().begin().await.unwrap();
    sqlx::query("set local lock_timeout = '20ms'").execute(&mut *tx).await.unwrap();
    let error = app.execute(&ada, Deposit(4)).within(&mut tx).await.unwrap_err();
    let ExecuteError::Busy { stream, .. } = &error else { panic!("{error:?}") };
    assert_eq!(stream.as_str(), "account-ada");
    tx.rollback().await.unwrap();
    holder.rollback().await.unwrap();
    assert_eq!(app.execute(&ada, Deposit(4)).await.unwrap().version, 2);
}

/// Waits until nothing wakes the readers but the second that passes.
async fn quiet(app: &App) {
    loop {
        let since = Instant::now();
        app.store().woken().await;
        if since.elapsed() > Duration::from_millis(900) {
            return;
        }
    }
}

#[tokio::test]
async fn readers_are_woken_after_the_commit_and_not_before() {
    let (database, app) = bench().await;
    quiet(&app).await;
    let mut tx = database.pool().begin().await.unwrap();
    let woken = app.store().woken();
    let done = app.execute(&account("ada"), Deposit(4)).within(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    tokio::pin!(woken);
    let early = tokio::time::timeout(Duration::from_millis(100), &mut woken).await;
    assert!(early.is_err(), "woken before `after_commit`");
    let asked = Instant::now();
    let token = done.token.after_commit();
    woken.await;
    // Polling alone would have taken until the end of the second.
    assert!(asked.elapsed() < Duration::from_millis(700), "{:?}", asked.elapsed());
    assert_eq!(token, app.load::<Account>(&account("ada")).await.unwrap().token);
}

#[tokio::test]
#[expect(clippy::explicit_auto_deref, reason = "users write both")]
async fn every_kind_of_connection_will_do() {
    let (database, app) = bench().await;
    let ada = account("ada");
    let mut tx = database.pool().begin().await.unwrap();
    app.execute(&ada, Deposit(1)).within(&mut tx).await.unwrap();
    app.execute(&ada, Deposit(1)).within(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    let mut pooled = database.pool().acquire().await.unwrap();
    app.execute(&ada, Deposit(1)).within(&mut pooled).await.unwrap();
    let mut bare = sqlx::PgConnection::connect(database.url()).await.unwrap();
    let of = app.of::<Account>();
    let done = of.execute(&ada, Deposit(1)).within(&mut bare).await.unwrap();
    assert_eq!((done.reply, done.version), (4, 4));
    // It may be held across an await in a spawned task.
    let spawned = tokio::spawn(async move {
        let mut tx = pooled.begin().await.unwrap();
        let done = app.execute(&ada, Deposit(1)).within(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        done.version
    });
    assert_eq!(spawned.await.unwrap(), 5);
}
