//! Rivals on one stream: who wins, who decides again, and on what.

use foldlog::prelude::*;

use crate::bank::{Account, Deposit, Paused, account, bench, open, stored};

#[tokio::test(flavor = "multi_thread")]
async fn rivals_on_one_stream_all_get_their_turn() {
    let (database, app) = bench().await;
    let apps = [app.clone(), open(database.db()).await];
    let ada = account("ada");
    let mut commands = tokio::task::JoinSet::new();
    for n in 0..24 {
        let command = apps[n % 2].execute(&ada, Deposit(1)).retry(Retry::attempts(200));
        commands.spawn(command.into_future());
    }
    let mut versions: Vec<u64> = Vec::new();
    while let Some(done) = commands.join_next().await {
        let done = done.unwrap().unwrap();
        assert_eq!(i64::try_from(done.version).unwrap(), done.reply);
        versions.push(done.version);
    }
    versions.sort_unstable();
    assert_eq!(versions, (1..=24).collect::<Vec<_>>());
    let loaded = app.load::<Account>(&ada).await.unwrap();
    assert_eq!(loaded.state, Account { cents: 24, events: 24 });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_reads_only_the_tail_and_keeps_its_time() {
    let (_database, app) = bench().await;
    let ada = account("ada");
    app.execute(&ada, Deposit(1)).await.unwrap();
    let (command, mut pauses) = Paused::deposit(100);
    let running = tokio::spawn(app.execute(&ada, command).into_future());
    let first = pauses.decided().await;
    assert_eq!((first.version, first.events), (1, 1));

    app.execute(&ada, Deposit(10)).await.unwrap();
    pauses.go();
    let second = pauses.decided().await;
    // Had it read the stream anew, the same state would have taken in three events.
    assert_eq!((second.version, second.events), (2, 2));
    assert_eq!(second.now, first.now);

    pauses.go();
    let done = running.await.unwrap().unwrap();
    assert_eq!((done.reply, done.version, done.repeated), (111, 3, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_goes_to_the_caller_who_wants_no_retry() {
    let (database, app) = bench().await;
    let ada = account("ada");
    let (command, mut pauses) = Paused::deposit(100);
    let execute = app.execute(&ada, command).retry(Retry::never());
    let running = tokio::spawn(execute.into_future());
    assert_eq!(pauses.decided().await.version, 0);
    app.execute(&ada, Deposit(10)).await.unwrap();
    pauses.go();
    let error = running.await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "stream account-ada is at version 1, expected no stream");
    assert_eq!(stored(&database).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expected_version_is_not_retried() {
    let (database, app) = bench().await;
    let ada = account("ada");
    app.execute(&ada, Deposit(10)).await.unwrap();

    // Known to differ when the stream is loaded: nothing is decided.
    let (command, _pauses) = Paused::deposit(1);
    let error = app.execute(&ada, command).expect_version(7).await.unwrap_err();
    let ExecuteError::Conflict { stream, expected, actual } = error else { panic!("{error:?}") };
    assert_eq!((stream.as_str(), expected, actual), ("account-ada", Expected::Exact(7), 1));

    // Found to differ when it is appended to.
    let (command, mut pauses) = Paused::deposit(1);
    let running = tokio::spawn(app.execute(&ada, command).expect_version(1).into_future());
    pauses.decided().await;
    app.execute(&ada, Deposit(10)).await.unwrap();
    pauses.go();
    let error = running.await.unwrap().unwrap_err();
    let ExecuteError::Conflict { expected, actual, .. } = error else { panic!("{error:?}") };
    assert_eq!((expected, actual), (Expected::Exact(1), 2));

    assert_eq!(app.execute(&ada, Deposit(1)).expect_version(2).await.unwrap().version, 3);
    let error = app.execute(&ada, Deposit(1)).expect_version(0).await.unwrap_err();
    assert!(matches!(error, ExecuteError::Conflict { expected: Expected::NoStream, .. }));
    assert_eq!(app.execute(&account("bob"), Deposit(1)).expect_version(0).await.unwrap().reply, 1);
    assert_eq!(stored(&database).await, 4);
}
