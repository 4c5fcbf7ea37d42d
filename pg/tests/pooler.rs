//! A pooler that gives one session to several clients is noticed, and nothing else is taken for one.

mod way;

use foldlog_core::{Error, ErrorKind};
use foldlog_pg::{Db, Variables};
use foldlog_testkit::{TestDatabase, server};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgConnection, Row};

use way::{Full, Way};

async fn database() -> TestDatabase {
    server().await.database().await
}

fn assert_refused(opened: Result<Db, Error>, remedy: &str) {
    let error = opened.unwrap_err();
    let text = error.to_string();
    assert_eq!(error.kind(), ErrorKind::Setup, "{text}");
    assert!(text.contains("shares sessions between clients"), "{text}");
    assert!(text.contains("session mode") && text.contains(remedy), "{text}");
}

/// One session for all; the one that came back last of several; several in a circle.
async fn sharing(database: &TestDatabase) -> [Way; 4] {
    [
        Way::stack(database, 1).await,
        Way::stack(database, 3).await,
        Way::circle(database, 2).await,
        Way::circle(database, 3).await,
    ]
}

#[tokio::test]
async fn a_way_on_which_clients_share_sessions_is_refused_however_it_is_given() {
    let database = database().await;
    for way in sharing(&database).await {
        let url = way.url(&database);
        assert_refused(Db::connect(&url).await, "by its own address");
        let pooled = [("DATABASE_URL", url.as_str())];
        assert_refused(Db::from_variables(&Variables::from_iter(pooled)).await, "its own address");
        // The pool's statements would still go through it.
        let both = [pooled[0], ("DATABASE_URL_DIRECT", database.url())];
        let remedy = "put the address of DATABASE_URL_DIRECT into DATABASE_URL";
        assert_refused(Db::from_variables(&Variables::from_iter(both)).await, remedy);
        let pool = PgPoolOptions::new().max_connections(2).connect(&url).await.unwrap();
        assert_refused(Db::from_pool(pool.clone()).await, "by its own address");
        pool.close().await;
    }
}

/// What the refusal is for: without it, this would be an append under another client's statement.
#[tokio::test]
async fn through_a_shared_session_one_client_runs_what_another_prepared() {
    let database = database().await;
    let way = Way::circle(&database, 2).await;
    let options: PgConnectOptions = way.url(&database).parse().unwrap();
    let mut clients = Vec::new();
    for _ in 0..2 {
        clients.push(PgConnection::connect_with(&options).await.unwrap());
    }
    let [one, other] = clients.as_mut_slice() else { panic!("two were made") };
    let ask = async |client: &mut PgConnection, text: &'static str| {
        let asked = sqlx::query(text).bind("?").fetch_one(client).await;
        asked.map(|row| row.get::<String, _>(0))
    };
    let (mut of_one, mut of_other) = (one.begin().await.unwrap(), other.begin().await.unwrap());
    let (mine, yours) = ("select 'one: ' || $1::text", "select 'other: ' || $1::text");
    assert_eq!(ask(&mut of_one, mine).await.unwrap(), "one: ?");
    assert_eq!(ask(&mut of_other, yours).await.unwrap(), "other: ?");
    // The sessions come back in the other order, and so change hands.
    of_other.commit().await.unwrap();
    of_one.commit().await.unwrap();
    assert_eq!(ask(one, mine).await.unwrap(), "other: ?");
}

#[tokio::test]
async fn a_way_with_a_session_for_each_client_is_taken() {
    let database = database().await;
    let way = Way::plain(&database, Full::Never).await;
    let db = Db::connect(&way.url(&database)).await.unwrap();
    // Two told themselves apart, and are gone; nothing but the pool opens others.
    assert_eq!(way.clients(), 2);
    sqlx::query("select $1::text").bind("!").execute(db.pool()).await.unwrap();
    db.close().await;
    let pool = PgPoolOptions::new().connect(&way.url(&database)).await.unwrap();
    Db::from_pool(pool).await.unwrap().close().await;
}

#[tokio::test]
async fn where_only_one_session_fits_nothing_is_proved_and_nothing_refused() {
    let database = database().await;
    for full in [Full::Refuses, Full::IsSilent] {
        let way = Way::plain(&database, full).await;
        let url = format!("{}&connect_timeout=2", way.url(&database));
        let db = Db::connect(&url).await.unwrap();
        assert_eq!(way.clients(), 2);
        db.close().await;
    }
}

#[tokio::test]
async fn sessions_outside_the_pool_take_the_direct_way() {
    let database = database().await;
    let way = Way::plain(&database, Full::Never).await;
    let direct = way.url(&database);
    let variables = [("DATABASE_URL", database.url()), ("DATABASE_URL_DIRECT", &direct)];
    let db = Db::from_variables(&Variables::from_iter(variables)).await.unwrap();
    sqlx::query("select 1").execute(&mut *db.acquire().await.unwrap()).await.unwrap();
    assert_eq!(way.clients(), 0);
    let session = db.session("direct").await.unwrap();
    assert_eq!(way.clients(), 1);
    session.close().await.unwrap();
    db.close().await;
}
