//! Streams as fixtures: what was stored is what a test is given.

use std::time::Duration;

use foldlog::prelude::*;
use foldlog::testing::{Fixture, given_fixture};
use foldlog::{Encoded, ErrorKind, Request, StreamEvents};

use crate::bank::{Account, AccountEvent, Deposit, Short, Withdraw, account, bench};

#[tokio::test]
async fn a_stored_stream_is_exported_as_it_is_and_given_to_a_test() {
    let (_database, app) = bench().await;
    let red = app.tenant(Tenant::new("red").unwrap());
    let ada = account("ada");
    app.execute(&ada, Deposit(1)).await.unwrap();
    let metadata = Metadata::new().correlation("visit 7").with("desk", "a\nb");
    red.execute(&ada, Deposit(900)).metadata(metadata).await.unwrap();
    red.execute(&ada, Withdraw(500)).await.unwrap();

    let fixture = red.export::<Account>(&ada).await.unwrap();
    let loaded = red.load::<Account>(&ada).await.unwrap();
    let stored = app.store().read_stream(loaded.stream(), 0, 10).await.unwrap().events;
    let read = Fixture::parse(&fixture.to_string()).unwrap();
    assert_eq!((read.stream(), read.events().len()), (loaded.stream(), 2));
    for (read, stored) in read.events().iter().zip(&stored) {
        assert_eq!((read.version, read.id, &read.kind), (stored.version, stored.id, &stored.kind));
        assert_eq!((read.schema_version, read.recorded), (stored.schema_version, stored.recorded));
        assert_eq!(read.payload.get(), stored.payload.get());
        let metadata = |json: &Option<Box<_>>| json.as_ref().map(ToString::to_string);
        assert_eq!(metadata(&read.metadata), metadata(&stored.metadata));
    }
    given_fixture::<Account>(&read)
        .state(|account| assert_eq!(*account, loaded.state))
        .later(Duration::from_secs(1))
        .when(Withdraw(401))
        .rejects(Short { missing: 1 })
        .then_when(Withdraw(400))
        .emits([AccountEvent::Withdrawn { cents: 400 }])
        .replies(0);
}

#[tokio::test]
async fn a_long_stream_is_exported_whole_and_one_that_is_not_there_without_events() {
    let (_database, app) = bench().await;
    let ada = account("ada");
    for _ in 0..3 {
        let many = vec![AccountEvent::Deposited { cents: 1 }; 900];
        app.append([any(&ada, many)]).await.unwrap();
    }
    let fixture = app.export::<Account>(&ada).await.unwrap();
    assert_eq!(fixture.events().len(), 2_700);
    given_fixture::<Account>(&fixture).state(|account| assert_eq!(account.cents, 2_700));
    assert!(app.export::<Account>(&account("bob")).await.unwrap().events().is_empty());
}

#[tokio::test]
async fn an_event_that_the_program_does_not_know_is_exported_all_the_same() {
    let (_database, app) = bench().await;
    let ada = account("ada");
    let name = StreamName::of::<AccountEvent>(&Tenant::default(), &ada).unwrap();
    // Bytes that are written otherwise than foldlog writes them.
    let payload = serde_json::value::RawValue::from_string("{ \"by\":\n 1.0 }".into()).unwrap();
    let event = Encoded { kind: "Vanished", payload, tags: vec![] };
    let request = Request::new([StreamEvents::raw(name, Expected::Any, vec![event])]).unwrap();
    app.store().append(&request).await.unwrap();
    let text = app.export::<Account>(&ada).await.unwrap().to_string();
    assert_eq!(text.lines().count(), 2, "{text}");
    let fixture = Fixture::parse(&text).unwrap();
    assert_eq!(fixture.events()[0].payload.get(), "{ \"by\":  1.0 }");
    assert_eq!(fixture.recorded::<AccountEvent>().unwrap_err().kind(), ErrorKind::Decode);
}

#[tokio::test]
async fn an_export_needs_the_aggregate_and_an_app_that_runs() {
    let database = crate::bank::database().await;
    let app = App::builder(database.db()).start().await.unwrap();
    let error = app.export::<Account>(&account("ada")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains(".aggregate::<main::bank::Account>()"), "{error}");
    let app = crate::bank::open(database.db()).await;
    assert_eq!(app.export::<Account>(&account("")).await.unwrap_err().kind(), ErrorKind::Invalid);
    app.shutdown().await.unwrap();
    let error = app.export::<Account>(&account("ada")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Stopped);
}
