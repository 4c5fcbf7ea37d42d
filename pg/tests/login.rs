//! Getting in: what is said when a server does not let us.

use std::fs;

use foldlog_core::ErrorKind;
use foldlog_pg::{Db, Endpoint, Variables};
use foldlog_testkit::server;
use sqlx::Row;

use super::places::Place;

/// What one driver says; the other must say the same where it has to do with getting in.
async fn refused(url: &str) -> (ErrorKind, String) {
    let endpoint = Endpoint::parse(url, &Variables::none()).unwrap();
    let error = Db::open(endpoint.clone(), None).await.unwrap_err();
    if let Err(other) = endpoint.session("login").await {
        assert_eq!((other.kind(), other.to_string()), (error.kind(), error.to_string()));
    }
    (error.kind(), format!("{error} {error:?}"))
}

/// A server on which the role `scram` needs its password.
async fn with_scram(place: &Place) -> (Db, String) {
    let db = place.db().await;
    sqlx::raw_sql(
        "set password_encryption = 'scram-sha-256'; create role scram login password 'r1ght'",
    )
    .execute(db.pool())
    .await
    .unwrap();
    let file = place.data().join("pg_hba.conf");
    let rules = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("local all scram scram-sha-256\n{rules}")).unwrap();
    sqlx::raw_sql("select pg_reload_conf()").execute(db.pool()).await.unwrap();
    let socket = place.major().join("socket").to_str().unwrap().replace('/', "%2F");
    (db, socket)
}

#[tokio::test]
async fn a_wrong_password_role_or_database_is_named_with_its_remedy() {
    let place = Place::new();
    let (db, socket) = with_scram(&place).await;
    let right = format!("postgres://scram:r1ght@{socket}/postgres");
    let endpoint = Endpoint::parse(&right, &Variables::none()).unwrap();
    // The server reads its rules anew some time after it was asked to.
    foldlog_testkit::wait_until(super::places::LONG, async || {
        let without = Endpoint::parse(&right.replace(":r1ght", ""), &Variables::none()).unwrap();
        Db::open(without, None).await.is_err()
    })
    .await;
    Db::open(endpoint.clone(), None).await.unwrap().close().await;
    assert!(endpoint.session("scram").await.is_ok(), "the other driver gets in as well");
    for (login, database, said) in [
        ("scram:wr0ng@", "postgres", "did not accept the password of role scram"),
        ("scram@", "postgres", "none is set"),
        ("nobody_here@", "postgres", "role nobody_here"),
        ("postgres@", "no_such", "createdb no_such"),
    ] {
        let (kind, text) = refused(&format!("postgres://{login}{socket}/{database}")).await;
        assert_eq!(kind, ErrorKind::Setup, "{text}");
        assert!(text.contains(said), "{text}");
        assert!(!text.contains("wr0ng"), "{text}");
    }
    db.close().await;
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_named() {
    for (url, said) in [
        ("postgres://ada@127.0.0.1:1/shop", "127.0.0.1:1"),
        ("postgres://ada@%2Fno%2Fsuch/shop", "/no/such/.s.PGSQL.5432"),
        ("postgres://ada@127.0.0.1:1,127.0.0.1:2/shop", "127.0.0.1:2"),
    ] {
        let (kind, text) = refused(url).await;
        assert_eq!(kind, ErrorKind::Unavailable, "{text}");
        assert!(text.contains(said) && text.contains("start the server"), "{text}");
    }
}

#[tokio::test]
async fn of_several_hosts_the_first_that_takes_writes_is_used() {
    let database = server().await.database().await;
    let Some(data) = server().await.data() else { return };
    let socket = data.with_file_name("socket");
    let url = format!(
        "postgres:///{}?host=127.0.0.1,{}&port=1,5432&user=postgres&sslmode=verify-full",
        database.name(),
        socket.display()
    );
    let endpoint = Endpoint::parse(&url, &Variables::none()).unwrap();
    let db = Db::open(endpoint, None).await.unwrap();
    let mut session = db.session("second host").await.unwrap();
    let row = sqlx::query("select current_setting('application_name')");
    let row = row.fetch_one(&mut session).await.unwrap();
    assert_eq!(row.get::<String, _>(0), "second host");
    assert!(db.endpoint().session("second host").await.is_ok());
    db.close().await;
}

#[tokio::test]
async fn a_database_without_writes_is_refused_unless_that_is_wanted() {
    let database = server().await.database().await;
    let sql = format!("alter database {} set default_transaction_read_only = on", database.name());
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(database.pool()).await.unwrap();
    let (kind, text) = refused(database.url()).await;
    assert_eq!(kind, ErrorKind::Setup, "{text}");
    assert!(text.contains("default_transaction_read_only"), "{text}");
    let mark = if database.url().contains('?') { '&' } else { '?' };
    let any = format!("{}{mark}target_session_attrs=any", database.url());
    let endpoint = Endpoint::parse(&any, &Variables::none()).unwrap();
    Db::open(endpoint, None).await.unwrap().close().await;
}
