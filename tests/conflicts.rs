//! Rivals on one stream: who wins, who decides again, and on what.

use std::time::{Duration, SystemTime};

use foldlog::prelude::*;
use uuid::Uuid;

use crate::bank::{Account, AccountEvent, Deposit, Paused, Withdraw, account, bench, open, stored};

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
    let ExecuteError::Conflict { since, .. } = &error else { panic!("{error:?}") };
    let position = since.events[0].position;
    assert_eq!(
        error.to_string(),
        format!(
            "stream account-ada is at version 1, expected no stream; event 1 of account-ada \
             (type Deposited, position {position}) came in between"
        )
    );
    assert_eq!(stored(&database).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_says_which_events_of_which_commands_came_in_between() {
    let (database, app) = bench().await;
    let (ada, key, began) = (account("ada"), Uuid::now_v7(), SystemTime::now());
    app.execute(&ada, Deposit(1)).await.unwrap();
    let (command, mut pauses) = Paused::deposit(100);
    let execute = app.execute(&ada, command).retry(Retry::attempts(2));
    let running = tokio::spawn(execute.into_future());
    pauses.decided().await;
    app.execute(&ada, Deposit(10)).await.unwrap();
    pauses.go();
    pauses.decided().await;
    // What the last decision did not see; the event before it did.
    let first = app.execute(&ada, Deposit(77_777)).command_id(key).await.unwrap();
    let named = Metadata::new().causation("by hand");
    let last = app.execute(&ada, Withdraw(5)).metadata(named).await.unwrap();
    pauses.go();
    let error = running.await.unwrap().unwrap_err();
    let ExecuteError::Conflict { expected, actual, since, .. } = &error else {
        panic!("{error:?}")
    };
    assert_eq!((*expected, *actual, since.count), (Expected::Exact(2), 4, 2));
    let seen = since
        .events
        .iter()
        .map(|event| (&*event.kind, event.version, event.position, event.causation_id.as_deref()));
    assert_eq!(
        seen.collect::<Vec<_>>(),
        [
            ("Deposited", 3, first.token.position(), Some(&*key.to_string())),
            ("Withdrawn", 4, last.token.position(), Some("by hand")),
        ]
    );
    // By the server's clock, which may be another machine's.
    let day = Duration::from_secs(86_400);
    assert!(since.events.iter().all(|event| event.recorded + day > began));
    let (text, debug) = (error.to_string(), format!("{error:?}"));
    assert!(text.contains("2 events came in between, first event 3 of account-ada "), "{text}");
    assert!(text.contains(&format!("caused by {key})")), "{text}");
    assert!(!debug.contains("77777"), "a payload is in the error: {debug}");
    assert_eq!(stored(&database).await, 4);
}

#[tokio::test]
async fn a_conflict_names_sixteen_events_and_counts_the_others() {
    let (database, app) = bench().await;
    let ada = account("ada");
    for many in [16, 17, 500] {
        let events = vec![AccountEvent::Deposited { cents: 1 }; many];
        let before = app.append([any(&ada, events)]).await.unwrap().streams[0].version;
        let before = before - u64::try_from(many).unwrap();
        let stale = || app.execute(&ada, Deposit(1)).expect_version(before);
        let mut tx = database.pool().begin().await.unwrap();
        let within = stale().within(&mut tx).await.unwrap_err();
        // The transaction is still of use.
        app.execute(&account("bob"), Deposit(1)).within(&mut tx).await.unwrap();
        tx.rollback().await.unwrap();
        for error in [stale().await.unwrap_err(), within] {
            let ExecuteError::Conflict { since, .. } = error else { panic!("{error:?}") };
            let versions: Vec<_> = since.events.iter().map(|event| event.version).collect();
            assert_eq!(versions, (before + 1..=before + 16).collect::<Vec<_>>());
            assert_eq!(since.count, u64::try_from(many).unwrap());
        }
    }
    // One who expects more than there is has lost to nobody.
    let error = app.execute(&ada, Deposit(1)).expect_version(9_999).await.unwrap_err();
    let text = error.to_string();
    assert!(text.ends_with("expected version 9999"), "{text}");
    let ExecuteError::Conflict { since, .. } = error else { panic!("{text}") };
    assert_eq!((since.events.len(), since.count), (0, 0));
    // And so for an append: the store is asked.
    let loaded = app.load::<Account>(&ada).await.unwrap();
    app.execute(&ada, Deposit(1)).command_id(Uuid::nil()).await.unwrap();
    let late = app.append([loaded.events(AccountEvent::Deposited { cents: 1 })]).await;
    let AppendError::Conflict { stream, .. } = late.unwrap_err() else { panic!() };
    let since = app.store().since(&stream, loaded.version).await.unwrap();
    assert_eq!(since.count, 1);
    assert_eq!(since.events[0].causation_id, Some(Uuid::nil().to_string()));
}

#[tokio::test]
async fn a_conflict_with_an_event_of_strange_metadata_names_it_without_a_cause() {
    let (database, app) = bench().await;
    let ada = account("ada");
    app.execute(&ada, Deposit(1)).await.unwrap();
    let strange = "set foldlog.unguarded = 'on';
        update foldlog.event set metadata = '[7]'";
    sqlx::raw_sql(strange).execute(database.pool()).await.unwrap();
    let error = app.execute(&ada, Deposit(1)).expect_version(0).await.unwrap_err();
    let ExecuteError::Conflict { since, .. } = error else { panic!("{error:?}") };
    assert_eq!((&*since.events[0].kind, &since.events[0].causation_id), ("Deposited", &None));
}

#[test]
fn an_error_of_a_command_stays_small() {
    assert!(size_of::<ExecuteError<()>>() <= 96, "{}", size_of::<ExecuteError<()>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expected_version_is_not_retried() {
    let (database, app) = bench().await;
    let ada = account("ada");
    app.execute(&ada, Deposit(10)).await.unwrap();

    // Known to differ when the stream is loaded: nothing is decided.
    let (command, _pauses) = Paused::deposit(1);
    let error = app.execute(&ada, command).expect_version(7).await.unwrap_err();
    let ExecuteError::Conflict { stream, expected, actual, .. } = error else {
        panic!("{error:?}")
    };
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
