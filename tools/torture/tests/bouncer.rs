//! pgbouncer, where this machine has it.

use foldlog_core::ErrorKind;
use foldlog_pg::Db;
use foldlog_torture::bouncer::Bouncer;
use sqlx::postgres::PgPoolOptions;
use sqlx::{Connection as _, PgConnection};
use tokio_postgres::types::Type;

use crate::support::{cluster, run, session};

#[tokio::test]
async fn clients_of_the_pooler_share_sessions_between_transactions() {
    let Some(program) = Bouncer::found() else {
        eprintln!("there is no pgbouncer here: nothing was tried");
        return;
    };
    let cluster = cluster().await;
    let bouncer = Bouncer::start(&program, cluster.port(), "postgres", 4).await.unwrap();
    let url = bouncer.url("postgres", "postgres");
    two_open_sessions_are_one(&url).await;
    no_store_is_opened_through_it(&url).await;
    names_of_prepared_statements_meet(&url).await;
    statements_that_bring_everything_pass(&url).await;
    let port = bouncer.port();
    drop(bouncer);
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
}

async fn pid(session: &mut PgConnection) -> i32 {
    let row = sqlx::raw_sql("select pg_backend_pid()").fetch_one(session).await.unwrap();
    sqlx::Row::get(&row, 0)
}

/// By this a client can tell that such a pooler is in its way.
async fn two_open_sessions_are_one(url: &str) {
    let (mut one, mut other) = (session(url).await, session(url).await);
    assert_eq!(pid(&mut one).await, pid(&mut other).await);
}

async fn no_store_is_opened_through_it(url: &str) {
    let error = Db::connect(url).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Setup, "{error}");
    assert!(error.to_string().contains("shares sessions between clients"), "{error}");
    let pool = PgPoolOptions::new().max_connections(2).connect(url).await.unwrap();
    assert_eq!(Db::from_pool(pool).await.unwrap_err().kind(), ErrorKind::Setup);
    // Busy, it hands out one server session here and another one there.
    let mut busy = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let mut client = session(url).await;
        busy.spawn(async move {
            loop {
                pid(&mut client).await;
            }
        });
    }
    for _ in 0..8 {
        assert_eq!(Db::connect(url).await.unwrap_err().kind(), ErrorKind::Setup);
    }
}

/// Why a driver that names its statements can't be used through it.
async fn names_of_prepared_statements_meet(url: &str) {
    let [mut one, mut other, mut third] =
        [session(url).await, session(url).await, session(url).await];
    let (ask, ask_other) = ("select 'one: ' || $1::text", "select 'other: ' || $1::text");
    let mut of_one = one.begin().await.unwrap();
    let mut of_other = other.begin().await.unwrap();
    for (tx, text) in [(&mut of_one, ask), (&mut of_other, ask_other)] {
        let _prepared: String =
            sqlx::query_scalar(text).bind("?").fetch_one(&mut **tx).await.unwrap();
    }
    of_one.commit().await.unwrap();
    // The session that was given back last is given out first.
    run(&mut third, "begin").await.unwrap();
    of_other.commit().await.unwrap();
    let answer: String = sqlx::query_scalar(ask).bind("?").fetch_one(&mut one).await.unwrap();
    assert_eq!(answer, "other: ?");
}

/// Text, types and values in one go, under no name.
async fn statements_that_bring_everything_pass(url: &str) {
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..8 {
        let (client_side, connection) =
            tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
        clients.spawn(async move {
            let asking = async {
                for n in 0..50 {
                    let sql = "select $1::integer + $2";
                    let values: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 2] =
                        [(&client, Type::INT4), (&n, Type::INT4)];
                    let row = client_side.query_typed_one(sql, &values).await.unwrap();
                    assert_eq!(row.get::<_, i32>(0), client + n);
                }
            };
            tokio::select! { () = asking => {}, _ = connection => panic!("the pooler left") }
        });
    }
    while let Some(ended) = clients.join_next().await {
        ended.unwrap();
    }
}
