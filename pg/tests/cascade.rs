//! Which database `from_env` takes, and that a failure is never a reason to take another.

use foldlog_core::ErrorKind;
use foldlog_pg::{Db, Variables};
use foldlog_testkit::server;

use super::places::Place;

/// Nothing listens there: ports below 1024 are not given out by chance.
const DEAD: &str = "postgres://ada@127.0.0.1:1/shop";

#[tokio::test]
async fn a_named_server_that_fails_is_an_error_and_nothing_else_is_tried() {
    let place = Place::new();
    for named in [&[("DATABASE_URL", DEAD)][..], &[("PGHOST", "127.0.0.1"), ("PGPORT", "1")]] {
        let error = Db::from_variables(&place.variables(named)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.to_string().contains("127.0.0.1:1"), "{error}");
    }
    let bad = place.variables(&[("DATABASE_URL", "postgres://h/?colour=red")]);
    assert!(Db::from_variables(&bad).await.unwrap_err().to_string().contains("colour"));
    assert_eq!(std::fs::read_dir(place.base()).unwrap().count(), 0, "no private server was made");
}

#[tokio::test]
async fn the_url_goes_before_the_variables() {
    let database = server().await.database().await;
    let variables = Variables::from_iter([("DATABASE_URL", database.url()), ("PGHOST", "no.such")]);
    let db = Db::from_variables(&variables).await.unwrap();
    assert!(db.description().contains(database.name()), "{}", db.description());
    db.close().await;
}

#[tokio::test]
async fn the_direct_address_is_the_one_for_listening() {
    let database = server().await.database().await;
    let variables = |direct: &'static str| {
        Variables::from_iter([("DATABASE_URL", database.url()), ("DATABASE_URL_DIRECT", direct)])
    };
    let db = Db::from_variables(&variables("postgres://direct/shop")).await.unwrap();
    assert!(format!("{}", db.direct()).contains("direct:5432"));
    assert!(format!("{}", db.endpoint()).contains(database.name()));
    let error = Db::from_variables(&variables("nonsense")).await.unwrap_err();
    assert!(error.to_string().contains("DATABASE_URL_DIRECT"), "{error}");
}

#[tokio::test]
async fn without_a_named_server_a_private_one_is_started() {
    let place = Place::new();
    let db = Db::from_variables(&place.variables(&[])).await.unwrap();
    assert!(db.description().contains(place.data().to_str().unwrap()), "{}", db.description());
    assert!(place.is_up());
    db.close().await;
    assert!(!place.is_up());
}

#[tokio::test]
async fn binaries_that_are_not_to_be_searched_are_fetched() {
    let place = Place::new();
    let process = Variables::from_process();
    if process.get("FOLDLOG_PG_BIN") != Some("none") {
        // Only a run that asked for it goes to the network.
        return;
    }
    let folder = place.options().binaries().await.unwrap();
    assert!(folder.ends_with("bin") && folder.to_string_lossy().contains("foldlog"));
    assert_eq!(place.options().binaries().await.unwrap(), folder, "the second time from the cache");
}
