//! The pool: ours keeps its promises after a cancelled call, and a user's own is taken as it is.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use foldlog_pg::Db;
use foldlog_testkit::{TestDatabase, server, wait_until};
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, PgPool, Row};

use super::places::LONG;

async fn prepared() -> TestDatabase {
    let database = server().await.database().await;
    let table = "create table public.written (n int)";
    sqlx::raw_sql(table).execute(database.pool()).await.unwrap();
    database
}

/// Polls a future as often as that, unless it is ready sooner, and drops it.
async fn cancel_after<F: Future>(polls: usize, future: F) {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|cx| {
        left -= 1;
        match future.as_mut().poll(cx) {
            Poll::Pending if left > 0 => Poll::Pending,
            _ => Poll::Ready(()),
        }
    })
    .await;
}

/// Cancels a `begin` at each of its polls, and looks for the write that follows from outside.
async fn write_after_cancelled_begins(database: &TestDatabase, pool: &PgPool) {
    let mut outside = database.db().session("outside").await.unwrap();
    sqlx::query("select 1").execute(pool).await.unwrap();
    for steps in 1..=8 {
        // One idle connection, so that the steps fall into the `begin` and not into a handshake.
        wait_until(LONG, async || pool.size() > 0 && pool.num_idle() == pool.size() as usize).await;
        cancel_after(steps, pool.begin()).await;
        wait_until(LONG, async || pool.num_idle() == pool.size() as usize).await;
        let sql = "insert into public.written values ($1)";
        sqlx::query(sql).bind(steps as i32).execute(pool).await.unwrap();
        let row = sqlx::query("select count(*) from public.written where n = $1")
            .bind(steps as i32)
            .fetch_one(&mut outside)
            .await
            .unwrap();
        assert_eq!(row.get::<i64, _>(0), 1, "acknowledged and lost after {steps} steps");
    }
}

#[tokio::test]
async fn a_write_after_a_cancelled_begin_is_committed() {
    let database = prepared().await;
    write_after_cancelled_begins(&database, database.pool()).await;
}

#[tokio::test]
async fn beside_a_users_pool_a_write_after_a_cancelled_begin_is_committed_too() {
    let database = prepared().await;
    let pool = PgPoolOptions::new().max_connections(1);
    let db = Db::from_pool(pool.connect(database.url()).await.unwrap()).await.unwrap();
    write_after_cancelled_begins(&database, db.own_pool()).await;
    db.close().await;
}

#[tokio::test]
async fn a_failed_transaction_does_not_stay_in_the_pool() {
    let database = prepared().await;
    for _ in 0..20 {
        // Begun by hand, so that sqlx does not know that there is a transaction to end.
        let mut connection = database.pool().acquire().await.unwrap();
        let _failed = sqlx::raw_sql("begin; select 1/0").execute(&mut *connection).await;
        drop(connection);
        let row = sqlx::query("select 1").fetch_one(database.pool()).await.unwrap();
        assert_eq!(row.get::<i32, _>(0), 1);
    }
}

#[tokio::test]
async fn a_users_pool_serves_for_sessions_of_both_drivers() {
    let database = prepared().await;
    let pool = PgPoolOptions::new().max_connections(1);
    let pool = pool.connect(database.url()).await.unwrap();
    let db = Db::from_pool(pool.clone()).await.unwrap();
    // The only connection of the pool is taken: a session must come from elsewhere.
    let taken = pool.acquire().await.unwrap();
    let mut session = db.session("own session").await.unwrap();
    let row = sqlx::query("select current_database()::text").fetch_one(&mut session).await.unwrap();
    assert_eq!(row.get::<String, _>(0), database.name());
    let other = db.endpoint().session("own session").await.unwrap();
    drop((other, taken));
    db.close().await;
    wait_until(LONG, async || pool.is_closed()).await;
}

#[tokio::test]
async fn a_limit_on_statements_is_not_for_our_own_sessions() {
    let database = prepared().await;
    let sql = format!("alter database {} set statement_timeout = '5s'", database.name());
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(database.pool()).await.unwrap();
    let mut session = database.db().session("long read").await.unwrap();
    let row = sqlx::query("select current_setting('statement_timeout')");
    assert_eq!(row.fetch_one(&mut session).await.unwrap().get::<String, _>(0), "0");
}
