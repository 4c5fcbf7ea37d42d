//! Appends without a command.

use foldlog::prelude::*;
use foldlog::{ErrorKind, StreamEvents};
use uuid::Uuid;

use crate::bank::{Account, AccountEvent, Deposit, account, bench, stored};

fn deposit(cents: i64) -> AccountEvent {
    AccountEvent::Deposited { cents }
}

#[tokio::test]
async fn several_streams_are_appended_to_as_a_whole() {
    let (database, app) = bench().await;
    let (ada, bob) = (account("ada"), account("bob"));
    let both = [no_stream(&ada, deposit(1)), any(&bob, [deposit(2), deposit(3)])];
    let done = app.append(both).await.unwrap();
    let versions: Vec<_> = done.streams.iter().map(|s| (s.stream.as_str(), s.version)).collect();
    assert_eq!(versions, [("account-ada", 1), ("account-bob", 2)]);
    assert!(!done.repeated);
    let position = done.streams.iter().filter_map(|s| s.position).max();
    assert_eq!(position, Some(done.token.position()));

    let one_fails = [any(&bob, deposit(9)), no_stream(&ada, deposit(9))];
    let error = app.append(one_fails).await.unwrap_err();
    let AppendError::Conflict { stream, actual, .. } = error else { panic!("{error:?}") };
    assert_eq!((stream.as_str(), actual), ("account-ada", 1));
    let error = app.append([exists(&account("eve"), deposit(9))]).await.unwrap_err();
    assert!(matches!(error, AppendError::Conflict { actual: 0, .. }));
    assert_eq!(stored(&database).await, 3);
}

#[tokio::test]
async fn a_loaded_state_appends_only_at_its_version() {
    let (_database, app) = bench().await;
    let (ada, bob) = (account("ada"), account("bob"));
    let loaded = app.load::<Account>(&ada).await.unwrap();
    app.append([loaded.events(deposit(1)), any(&bob, deposit(1))]).await.unwrap();
    // Loaded before there was a stream, it can't append to the one that came.
    let error = app.append([loaded.events(deposit(1))]).await.unwrap_err();
    assert!(matches!(error, AppendError::Conflict { expected: Expected::NoStream, actual: 1, .. }));

    let loaded = app.load::<Account>(&ada).await.unwrap();
    app.execute(&ada, Deposit(1)).await.unwrap();
    let error = app.append([any(&bob, deposit(1)), loaded.events(deposit(1))]).await.unwrap_err();
    assert!(matches!(error, AppendError::Conflict { expected: Expected::Exact(1), actual: 2, .. }));
    assert_eq!(app.load::<Account>(&bob).await.unwrap().version, 1);
}

#[tokio::test]
async fn a_loaded_state_goes_on_after_its_own_append() {
    let (_database, app) = bench().await;
    let ada = account("ada");
    let mut loaded = app.load::<Account>(&ada).await.unwrap();
    let events = [deposit(1), deposit(2)];
    let done = app.append([loaded.events(events.clone())]).await.unwrap();
    assert!(loaded.advance(&events, &done));
    assert_eq!((loaded.state.cents, loaded.version, loaded.token), (3, 2, done.token));
    let line = Uuid::now_v7();
    let done = app.append([loaded.events(deposit(4))]).id(line).await.unwrap();
    assert!(loaded.advance(&[deposit(4)], &done));

    // Another stream's append, a repetition, and one that began elsewhere are no ground to go on.
    let other = app.append([any(&account("bob"), deposit(1))]).await.unwrap();
    assert!(!loaded.advance(&[deposit(1)], &other));
    let mut old = app.load::<Account>(&account("eve")).await.unwrap();
    let again = app.append([any(&ada, deposit(4))]).id(line).await.unwrap();
    assert!(again.repeated && !loaded.advance(&[deposit(4)], &again));
    app.execute(&account("eve"), Deposit(1)).await.unwrap();
    let later = app.append([any(&account("eve"), deposit(1))]).await.unwrap();
    assert!(!old.advance(&[deposit(1)], &later));
    assert_eq!((loaded.state.cents, loaded.version, old.version), (7, 3, 0));
}

#[tokio::test]
async fn the_same_id_appends_once() {
    let (database, app) = bench().await;
    let (ada, bob, line) = (account("ada"), account("bob"), Uuid::now_v7());
    let streams = || [any(&ada, deposit(1)), exists(&bob, vec![deposit(2)])];
    app.append([any(&bob, deposit(1))]).await.unwrap();
    let first = app.append(streams()).id(line).await.unwrap();
    app.append([any(&ada, deposit(7))]).await.unwrap();
    let again = app.append(streams()).id(line).await.unwrap();
    assert_eq!((first.repeated, again.repeated), (false, true));
    assert_eq!((again.token, again.streams[0].version), (first.token, 1));
    let error = app.append([any(&ada, deposit(2))]).id(line).await.unwrap_err();
    let AppendError::Store(error) = error else { panic!("{error:?}") };
    assert_eq!(error.kind(), ErrorKind::IdReused);
    assert_eq!(stored(&database).await, 4);
}

#[tokio::test]
async fn an_append_in_a_transaction_is_there_when_that_commits() {
    let (database, app) = bench().await;
    let (ada, line) = (account("ada"), Uuid::now_v7());
    let metadata = Metadata::new().causation("line 7");
    let mut tx = database.pool().begin().await.unwrap();
    let gone = app.append_in(&mut tx, [any(&ada, deposit(1))]).id(line).await.unwrap();
    assert!(!gone.repeated);
    tx.rollback().await.unwrap();
    assert_eq!(stored(&database).await, 0);

    let mut tx = database.pool().begin().await.unwrap();
    let append = app.append_in(&mut tx, [any(&ada, deposit(1))]).id(line);
    let done = append.metadata(metadata.clone()).await.unwrap();
    assert_eq!((done.repeated, done.streams[0].version), (false, 1));
    assert_eq!(app.load::<Account>(&ada).await.unwrap().version, 0);
    tx.commit().await.unwrap();
    let loaded = app.load::<Account>(&ada).await.unwrap();
    assert_eq!((loaded.version, loaded.token), (1, done.token.after_commit()));
    let page = app.store().read_stream(loaded.stream(), 0, 1).await.unwrap();
    assert_eq!(page.events[0].typed::<AccountEvent>().unwrap().metadata, metadata);
}

#[tokio::test]
async fn what_was_loaded_of_one_tenant_is_refused_for_another() {
    let (database, app) = bench().await;
    let red = app.tenant(Tenant::new("red").unwrap());
    let blue = app.tenant(Tenant::new("blue").unwrap());
    let ada = account("ada");
    let refused = async |app: &App, events: StreamEvents| {
        let error = app.append([events]).await.unwrap_err();
        let AppendError::Store(error) = error else { panic!("{error:?}") };
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    };
    for (of, others) in [(&red, [&blue, &app]), (&app, [&red, &blue])] {
        let loaded = of.load::<Account>(&ada).await.unwrap();
        for other in others {
            refused(other, loaded.events(deposit(1))).await;
        }
        of.append([loaded.events(deposit(1)), any(&account("bob"), deposit(1))]).await.unwrap();
        assert_eq!(of.load::<Account>(&account("bob")).await.unwrap().state.cents, 1);
    }
    assert_eq!(blue.load::<Account>(&ada).await.unwrap().version, 0);
    assert_eq!(stored(&database).await, 4);
}
