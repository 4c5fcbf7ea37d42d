//! States of the past: at a version, and at a time.

use std::time::{Duration, SystemTime};

use foldlog::prelude::*;
use foldlog::{Encoded, ErrorKind, Request, StreamEvents};

use crate::bank::{Account, AccountEvent, Deposit, account, bench};

#[tokio::test]
async fn a_state_at_a_version_is_folded_from_the_events_up_to_it_and_no_other() {
    let (_database, app) = bench().await;
    let (ada, red) = (account("ada"), app.tenant(Tenant::new("red").unwrap()));
    red.execute(&ada, Deposit(7)).await.unwrap();
    // More than two pages.
    for _ in 0..3 {
        let many = vec![AccountEvent::Deposited { cents: 1 }; 900];
        app.append([any(&ada, many)]).await.unwrap();
    }
    for version in [0, 1, 99, 100, 101, 900, 999, 1_000, 1_001, 2_000, 2_699, 2_700] {
        let loaded = app.load_at_version::<Account>(&ada, version).await.unwrap();
        let state = Account { cents: i64::try_from(version).unwrap(), events: version };
        assert_eq!((loaded.version, loaded.state), (version, state));
        let stream = StreamName::new(&Tenant::default(), "account", "ada").unwrap();
        let page = app.store().read_stream_back(&stream, version + 1, 1).await.unwrap();
        let position = page.events.first().map(foldlog::RawEvent::position).unwrap_or_default();
        assert_eq!(loaded.token.position(), position, "the token is that of the state");
    }
    assert_eq!(red.load_at_version::<Account>(&ada, 1).await.unwrap().state.cents, 7);
}

#[tokio::test]
async fn a_version_that_the_stream_has_not_come_to_is_refused() {
    let (_database, app) = bench().await;
    let ada = account("ada");
    app.execute(&ada, Deposit(1)).await.unwrap();
    for (id, version) in [(&ada, 2), (&ada, u64::MAX), (&account("nobody"), 1)] {
        let error = app.load_at_version::<Account>(id, version).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    }
    let nobody = app.load_at_version::<Account>(&account("nobody"), 0).await.unwrap();
    assert_eq!((nobody.version, nobody.state), (0, Account::default()));
}

#[tokio::test]
async fn nothing_is_appended_on_top_of_a_past_state() {
    let (_database, app) = bench().await;
    let ada = account("ada");
    for _ in 0..3 {
        app.execute(&ada, Deposit(1)).await.unwrap();
    }
    let past = app.load_at_version::<Account>(&ada, 2).await.unwrap();
    let late = app.append([past.events(AccountEvent::Deposited { cents: 1 })]).await;
    assert!(matches!(late, Err(AppendError::Conflict { actual: 3, .. })), "{late:?}");
    // At its last version it is the present.
    let now = app.load_at_version::<Account>(&ada, 3).await.unwrap();
    app.append([now.events(AccountEvent::Deposited { cents: 1 })]).await.unwrap();
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

#[tokio::test]
async fn a_state_at_a_time_is_the_longest_beginning_that_was_recorded_by_then() {
    let (database, app) = bench().await;
    let ada = account("ada");
    for _ in 0..6 {
        app.execute(&ada, Deposit(1)).await.unwrap();
    }
    // The clock was set back between the third event and the fourth.
    let clock = "set foldlog.unguarded = 'on'; update foldlog.event set recorded_at =
        to_timestamp((array[100, 200, 300, 150, 250, 400])[version])";
    sqlx::raw_sql(clock).execute(database.pool()).await.unwrap();
    for (time, version) in [
        (0, 0),
        (99, 0),
        (100, 1),
        (199, 1),
        // The fourth was recorded by then, and stands behind the third, which was not.
        (200, 2),
        (299, 2),
        (300, 5),
        (399, 5),
        (400, 6),
        (4_000_000_000, 6),
    ] {
        let loaded = app.load_at_time::<Account>(&ada, at(time)).await.unwrap();
        assert_eq!((loaded.version, loaded.state.events), (version, version), "at {time}");
        assert_eq!(loaded.token.position() == foldlog::Position::START, version == 0);
    }
    let before = at(100) - Duration::from_nanos(1);
    assert_eq!(app.load_at_time::<Account>(&ada, before).await.unwrap().version, 0);
    let before_all = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
    assert_eq!(app.load_at_time::<Account>(&ada, before_all).await.unwrap().version, 0);
    let nobody = app.load_at_time::<Account>(&account("nobody"), at(500)).await.unwrap();
    assert_eq!((nobody.version, nobody.state), (0, Account::default()));
}

#[tokio::test]
async fn an_event_behind_a_past_state_need_not_be_readable() {
    let (database, app) = bench().await;
    let ada = account("ada");
    app.execute(&ada, Deposit(1)).await.unwrap();
    let stream = app.load::<Account>(&ada).await.unwrap().stream().clone();
    let payload = serde_json::value::RawValue::from_string("1".to_owned()).unwrap();
    let strange = vec![Encoded { kind: "Strange", payload, tags: vec![] }];
    let part = StreamEvents::raw(stream, Expected::Any, strange);
    app.store().append(&Request::new([part]).unwrap()).await.unwrap();
    let clock = "set foldlog.unguarded = 'on';
        update foldlog.event set recorded_at = to_timestamp(version * 100)";
    sqlx::raw_sql(clock).execute(database.pool()).await.unwrap();
    assert_eq!(app.load_at_version::<Account>(&ada, 1).await.unwrap().state.cents, 1);
    assert_eq!(app.load_at_time::<Account>(&ada, at(199)).await.unwrap().state.cents, 1);
    for error in [
        app.load_at_version::<Account>(&ada, 2).await.unwrap_err(),
        app.load_at_time::<Account>(&ada, at(200)).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Decode, "{error}");
    }
}

#[tokio::test]
async fn the_past_of_an_aggregate_that_is_not_registered_is_refused() {
    let (database, _app) = bench().await;
    let app = App::builder(database.db()).start().await.unwrap();
    let ada = account("ada");
    for error in [
        app.load_at_version::<Account>(&ada, 0).await.unwrap_err(),
        app.load_at_time::<Account>(&ada, at(0)).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    }
    app.shutdown().await.unwrap();
    assert_eq!(
        app.load_at_time::<Account>(&ada, at(0)).await.unwrap_err().kind(),
        ErrorKind::Stopped
    );
}
