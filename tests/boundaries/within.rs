//! Decisions in a transaction of the caller's.

use foldlog::ErrorKind;
use foldlog::prelude::*;
use foldlog_testkit::TestDatabase;
use sqlx::PgConnection;
use uuid::Uuid;

use super::school::{CourseEvent, Held, Refused, defined, subscribe, subscribed};
use crate::bank::{bench, stored};

async fn with_table(database: &TestDatabase) {
    sqlx::query("create table invoice (who text)").execute(database.pool()).await.unwrap();
}

async fn invoice(conn: &mut PgConnection) {
    sqlx::query("insert into invoice values ('ada')").execute(conn).await.unwrap();
}

async fn invoices(database: &TestDatabase) -> i64 {
    sqlx::query_scalar("select count(*) from invoice").fetch_one(database.pool()).await.unwrap()
}

#[tokio::test]
async fn a_decision_and_rows_of_the_callers_commit_together_or_not_at_all() {
    let (database, app) = bench().await;
    with_table(&database).await;
    app.append([defined("c1", 1)]).await.unwrap();
    let key = Uuid::now_v7();
    for commits in [false, true] {
        let mut tx = database.pool().begin().await.unwrap();
        let decide = app.decide(subscribe("c1", "ada")).command_id(key);
        let done = decide.within(&mut tx).await.unwrap();
        assert_eq!((done.reply, done.repeated, done.streams[0].version), (0, false, 2));
        invoice(&mut tx).await;
        if !commits {
            tx.rollback().await.unwrap();
            assert_eq!((stored(&database).await, invoices(&database).await), (1, 0));
            continue;
        }
        tx.commit().await.unwrap();
        let token = done.token.after_commit();
        assert_eq!((stored(&database).await, invoices(&database).await), (2, 1));
        let again = app.decide(subscribe("c1", "ada")).command_id(key).await.unwrap();
        assert_eq!((again.reply, again.repeated, again.token), (0, true, token));
        let mut tx = database.pool().begin().await.unwrap();
        let within = app.decide(subscribe("c1", "ada")).within(&mut tx);
        let within = within.metadata(Metadata::new()).command_id(key).await.unwrap();
        assert!(within.repeated);
    }
}

#[tokio::test]
async fn decisions_of_one_transaction_see_each_other() {
    let (database, app) = bench().await;
    app.append([defined("c1", 2)]).await.unwrap();
    let mut tx = database.pool().begin().await.unwrap();
    let first = app.decide(subscribe("c1", "ada")).within(&mut tx).await.unwrap();
    let error = app.decide(subscribe("c1", "ada")).within(&mut tx).await.unwrap_err();
    assert!(matches!(error, ExecuteError::Rejected(Refused::Already)), "{error:?}");
    let second = app.decide(subscribe("c1", "bob")).within(&mut tx).await.unwrap();
    assert_eq!((first.reply, second.reply), (1, 0));
    // What the transaction appends by itself counts too.
    app.append_in(&mut tx, [defined("c2", 1), subscribed("c1", "eve")]).await.unwrap();
    let error = app.decide(subscribe("c1", "kim")).within(&mut tx).await.unwrap_err();
    assert!(matches!(error, ExecuteError::Rejected(Refused::Full)), "{error:?}");
    assert_eq!(app.decide(subscribe("c2", "ada")).within(&mut tx).await.unwrap().reply, 0);
    tx.commit().await.unwrap();
    assert_eq!(stored(&database).await, 6);
    assert!(second.token.after_commit().position() > first.token.after_commit().position());
}

#[tokio::test]
async fn a_transaction_with_a_snapshot_of_its_own_is_refused() {
    let (database, app) = bench().await;
    app.append([defined("c1", 2)]).await.unwrap();
    for level in ["repeatable read", "serializable"] {
        let begin = format!("begin isolation level {level}");
        let mut tx = database.pool().begin_with(sqlx::AssertSqlSafe(begin)).await.unwrap();
        let error = app.decide(subscribe("c1", "ada")).within(&mut tx).await.unwrap_err();
        let ExecuteError::Store(error) = error else { panic!("{error:?}") };
        assert_eq!(error.kind(), ErrorKind::Setup, "{error}");
        assert!(error.to_string().contains(level), "{error}");
        tx.rollback().await.unwrap();
    }
    assert_eq!(stored(&database).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_that_is_overtaken_says_by_what_and_leaves_the_transaction_usable() {
    let (database, app) = bench().await;
    with_table(&database).await;
    app.append([defined("c1", 2)]).await.unwrap();
    let (command, mut pauses) = Held::new(subscribe("c1", "ada"));
    let (pool, caller) = (database.pool().clone(), app.clone());
    let running = tokio::spawn(async move {
        let mut tx = pool.begin().await.unwrap();
        let error = caller.decide(command).within(&mut tx).await.unwrap_err();
        invoice(&mut tx).await;
        tx.commit().await.unwrap();
        error
    });
    pauses.decided().await;
    app.decide(subscribe("c1", "bob")).await.unwrap();
    pauses.go();
    let error = running.await.unwrap();
    let ExecuteError::Overtaken { since, .. } = &error else { panic!("{error:?}") };
    assert_eq!((since.count, &*since.events[0].kind), (1, "Subscribed"));
    assert_eq!((stored(&database).await, invoices(&database).await), (2, 1));
}

#[tokio::test]
async fn an_open_decision_keeps_others_out_of_its_boundary_and_nobody_else() {
    let (database, _) = bench().await;
    // Else the first of these transactions makes the type known that the second needs, too.
    let app = App::builder(database.db()).events::<CourseEvent>().start().await.unwrap();
    app.append([defined("c1", 2), defined("c2", 2)]).await.unwrap();
    let mut tx = database.pool().begin().await.unwrap();
    app.decide(subscribe("c1", "ada")).within(&mut tx).await.unwrap();
    let mut second = database.pool().begin().await.unwrap();
    sqlx::raw_sql("set local lock_timeout = '100ms'").execute(&mut *second).await.unwrap();
    let other = subscribe("c2", "bob");
    app.decide(other).within(&mut second).await.unwrap();
    let error = app.decide(subscribe("c2", "ada")).within(&mut second).await.unwrap_err();
    assert!(matches!(error, ExecuteError::BoundaryBusy { .. }), "{error:?}");
    second.commit().await.unwrap();
    tx.rollback().await.unwrap();
    app.decide(subscribe("c2", "ada")).await.unwrap();
}
