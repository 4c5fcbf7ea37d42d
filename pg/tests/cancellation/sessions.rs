//! Ways in, dropped half-way: no session stays, and the way is free.

use foldlog_pg::{Db, Endpoint, Listener, Variables};
use foldlog_testkit::{Audit, TestDatabase, server, sweep, wait_until};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio_util::sync::CancellationToken;

use super::super::places::LONG;
use super::{number, session};

/// The database's URL, with a name for the sessions that it leads to: an audit asks after such.
fn named(database: &TestDatabase) -> String {
    let url = database.url();
    format!("{url}{}application_name=foldlog%20swept", if url.contains('?') { '&' } else { '?' })
}

async fn answers(pool: &PgPool) -> bool {
    sqlx::query("select 1").execute(pool).await.is_ok()
}

#[tokio::test]
async fn a_dropped_way_in_leaves_no_session() {
    let database = server().await.database().await;
    let (mut audit, url) = (Audit::of(&database).await, named(&database));
    sweep("Db::connect", async |cut| {
        let opened = cut.of(Db::connect(&url)).await.map(Result::unwrap);
        let is_open = opened.is_some();
        if let Some(db) = opened {
            assert!(answers(db.pool()).await);
        }
        audit.nothing_left().await;
        is_open
    })
    .await;
    let endpoint = Endpoint::parse(&url, &Variables::none()).unwrap();
    sweep("Db::open", async |cut| {
        let opened = cut.of(Db::open(endpoint.clone(), None)).await.map(Result::unwrap);
        let is_open = opened.is_some();
        drop(opened);
        audit.nothing_left().await;
        is_open
    })
    .await;
    let variables = Variables::from_iter([("DATABASE_URL", url.as_str())]);
    sweep("Db::from_variables", async |cut| {
        let opened = cut.of(Db::from_variables(&variables)).await.map(Result::unwrap);
        let is_open = opened.is_some();
        drop(opened);
        audit.nothing_left().await;
        is_open
    })
    .await;
}

#[tokio::test]
async fn a_users_pool_of_one_is_free_after_a_dropped_look_at_it() {
    let database = server().await.database().await;
    let mut audit = Audit::of(&database).await;
    sweep("Db::from_pool", async |cut| {
        let pool = PgPoolOptions::new().max_connections(1).connect_lazy(database.url()).unwrap();
        let taken = cut.of(Db::from_pool(pool.clone())).await.map(Result::unwrap);
        audit.nothing_left().await;
        let db = Db::from_pool(pool).await.unwrap();
        audit.nothing_left_in(&db).await;
        db.close().await;
        taken.is_some()
    })
    .await;
}

#[tokio::test]
async fn dropped_sessions_of_both_drivers_are_closed() {
    let database = server().await.database().await;
    let (db, mut audit) = (database.narrow().await, Audit::of(&database).await);
    sweep("Db::session", async |cut| {
        let opened = cut.of(db.session("foldlog swept")).await.map(Result::unwrap);
        let is_open = opened.is_some();
        drop(opened);
        audit.nothing_left_in(&db).await;
        is_open
    })
    .await;
    sweep("Db::acquire", async |cut| {
        let db = database.narrow().await;
        let taken = cut.of(db.acquire()).await.map(Result::unwrap);
        let is_taken = taken.is_some();
        drop(taken);
        audit.nothing_left_in(&db).await;
        db.close().await;
        is_taken
    })
    .await;
    sweep("Endpoint::session", async |cut| {
        let opened = cut.of(db.endpoint().session("foldlog swept")).await.map(Result::unwrap);
        let is_open = opened.is_some();
        drop(opened);
        audit.nothing_left_in(&db).await;
        is_open
    })
    .await;
}

#[tokio::test]
async fn a_dropped_close_of_the_pool_closes_it_all_the_same() {
    let database = server().await.database().await;
    let (mut audit, url) = (Audit::of(&database).await, named(&database));
    sweep("Db::close", async |cut| {
        let db = Db::connect(&url).await.unwrap();
        let pool = db.pool().clone();
        let taken = pool.acquire().await.unwrap();
        let other = tokio::spawn(async move { drop(taken) });
        let closed = cut.of(db.close()).await;
        other.await.unwrap();
        // Never polled, it closes nothing; its last clone was dropped with it.
        drop(pool);
        audit.nothing_left().await;
        closed.is_some()
    })
    .await;
}

#[tokio::test]
async fn a_dropped_listener_ends_its_session() {
    let database = server().await.database().await;
    let (db, mut audit) = (database.narrow().await, Audit::of(&database).await);
    sweep("Listener::run", async |cut| {
        let shutdown = CancellationToken::new();
        let heard = |payload: &str| {
            if payload == "end" {
                shutdown.cancel();
            }
        };
        let pool = database.pool().clone();
        let notify = tokio::spawn(async move {
            let listening = "select count(*) = 1 from pg_stat_activity where datname = \
                current_database() and application_name = 'foldlog listen' and state = 'idle' \
                and query like '%\"swept\"%'";
            while !sqlx::query_scalar::<_, bool>(listening).fetch_one(&pool).await.unwrap() {
                tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            }
            sqlx::query("select pg_notify('swept', 'end')").execute(&pool).await.unwrap();
        });
        let ended = cut.of(Listener::run(db.direct(), "swept", heard, shutdown.clone())).await;
        notify.abort();
        drop(notify.await);
        audit.nothing_left_in(&db).await;
        ended.is_some()
    })
    .await;
}

#[tokio::test]
async fn a_session_of_ours_that_waits_for_a_lock_ends_when_it_is_dropped() {
    let database = server().await.database().await;
    let (mut holder, mut outside) = (session(&database).await, session(&database).await);
    super::run(&mut holder, "begin; create table public.t (n int); commit").await;
    super::run(&mut holder, "begin; lock table public.t in access share mode").await;
    let mut waiter = database.db().session("foldlog swept").await.unwrap();
    let waiting = "select count(*) from pg_stat_activity where datname = current_database()
        and application_name = 'foldlog swept' and wait_event_type = 'Lock'";
    tokio::select! {
        biased;
        _ = sqlx::raw_sql("drop table public.t").execute(&mut waiter) => panic!("it did not wait"),
        () = wait_until(LONG, async || number(&mut outside, waiting).await == 1) => {}
    }
    drop(waiter);
    // Whoever reads the table waits behind it as long as it is there.
    wait_until(LONG, async || number(&mut outside, waiting).await == 0).await;
    super::run(&mut outside, "select from public.t").await;
    super::run(&mut holder, "rollback").await;
}
