//! The start of an app, its end, and what lies between.

use std::time::Duration;

use foldlog::ErrorKind;
use foldlog::prelude::*;
use foldlog_testkit::{TestDatabase, server, wait_until};

use crate::bank::{Account, AccountEvent, Deposit, Paused, account, bench, open, stored};

/// The sessions of foldlog's own in this database, besides those of the pool.
async fn own_sessions(database: &TestDatabase) -> i64 {
    sqlx::query_scalar(
        "select count(*) from pg_stat_activity
        where datname = current_database() and application_name like 'foldlog %'",
    )
    .fetch_one(database.pool())
    .await
    .unwrap()
}

#[tokio::test]
async fn several_apps_may_start_on_an_empty_database_at_once() {
    let database = server().await.database().await;
    let (first, second) = tokio::join!(open(database.db()), open(database.db()));
    first.execute(&account("ada"), Deposit(1)).await.unwrap();
    assert_eq!(second.execute(&account("ada"), Deposit(1)).await.unwrap().reply, 2);
}

#[tokio::test]
async fn an_app_without_workers_executes_all_the_same() {
    let database = crate::bank::database().await;
    let app = App::builder(database.db()).aggregate::<Account>().without_workers();
    let app = app.start().await.unwrap();
    assert_eq!(app.execute(&account("ada"), Deposit(1)).await.unwrap().reply, 1);
    app.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_shutdown_ends_every_task_and_refuses_new_calls() {
    let (database, app) = bench().await;
    let ada = account("ada");
    app.execute(&ada, Deposit(1)).await.unwrap();
    wait_until(Duration::from_secs(20), async || own_sessions(&database).await > 0).await;
    app.shutdown().await.unwrap();
    wait_until(Duration::from_secs(20), async || own_sessions(&database).await == 0).await;

    let clone = app.tenant(Tenant::new("red").unwrap());
    let error = clone.execute(&ada, Deposit(1)).await.unwrap_err();
    let ExecuteError::Store(error) = error else { panic!("{error:?}") };
    assert_eq!(error.kind(), ErrorKind::Stopped);
    let event = AccountEvent::Deposited { cents: 1 };
    let error = app.append([any(&ada, event)]).await.unwrap_err();
    assert!(matches!(error, AppendError::Store(error) if error.kind() == ErrorKind::Stopped));
    assert_eq!(app.load::<Account>(&ada).await.unwrap_err().kind(), ErrorKind::Stopped);
    clone.shutdown().await.unwrap();
    assert_eq!(stored(&database).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_waits_for_commands_under_way() {
    let (database, app) = bench().await;
    let (command, mut pauses) = Paused::deposit(5);
    let running = tokio::spawn(app.execute(&account("ada"), command).into_future());
    pauses.decided().await;
    let ending = tokio::spawn({
        let app = app.clone();
        async move { app.shutdown().await }
    });
    wait_until(Duration::from_secs(20), async || {
        app.load::<Account>(&account("eve")).await.is_err()
    })
    .await;
    assert!(!ending.is_finished());
    pauses.go();
    assert_eq!(running.await.unwrap().unwrap().reply, 5);
    ending.await.unwrap().unwrap();
    assert_eq!(stored(&database).await, 1);
}

#[tokio::test]
async fn dropping_the_last_app_ends_its_tasks() {
    let (database, app) = bench().await;
    wait_until(Duration::from_secs(20), async || own_sessions(&database).await > 0).await;
    let clone = app.clone();
    drop(app);
    clone.execute(&account("ada"), Deposit(1)).await.unwrap();
    assert!(own_sessions(&database).await > 0);
    drop(clone);
    wait_until(Duration::from_secs(20), async || own_sessions(&database).await == 0).await;
}
