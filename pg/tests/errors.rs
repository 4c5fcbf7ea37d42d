//! How to react to what PostgreSQL says: by SQLSTATE, and without a word of the data.

use foldlog_core::ErrorKind;
use foldlog_pg::database;
use foldlog_testkit::server;
use sqlx::AssertSqlSafe;

/// An error with this code, whose message holds what no error may repeat.
fn raise(code: &str) -> String {
    format!(
        "do $$ begin raise exception 's3cret' using errcode = '{code}', detail = 's3cret'; end $$"
    )
}

#[tokio::test]
async fn each_code_asks_for_its_reaction() {
    let test = server().await.database().await;
    for (code, kind) in [
        ("40001", ErrorKind::Retry),
        ("40P01", ErrorKind::Retry),
        ("55P03", ErrorKind::Busy),
        ("57P01", ErrorKind::Unavailable),
        ("08006", ErrorKind::Unavailable),
        ("53300", ErrorKind::Unavailable),
        // A cancelled statement, a full disk, too little memory for locks, a broken disk: no code of
        // ours is wrong, and it may pass.
        ("57014", ErrorKind::Unavailable),
        ("53100", ErrorKind::Unavailable),
        ("53200", ErrorKind::Unavailable),
        ("58030", ErrorKind::Unavailable),
        ("28P01", ErrorKind::Setup),
        ("3D000", ErrorKind::Setup),
        ("42501", ErrorKind::Setup),
        ("25006", ErrorKind::Setup),
        ("3F000", ErrorKind::Setup),
        ("FL001", ErrorKind::Setup),
        ("FL002", ErrorKind::Setup),
        ("FL003", ErrorKind::Foreign),
        ("FL004", ErrorKind::Internal),
        ("FL005", ErrorKind::Invalid),
        ("FL006", ErrorKind::Invalid),
        ("FL007", ErrorKind::Retry),
        ("22P02", ErrorKind::Internal),
    ] {
        let raised = sqlx::raw_sql(AssertSqlSafe(raise(code))).execute(test.pool()).await;
        let error = database("the act", raised.unwrap_err());
        assert_eq!(error.kind(), kind, "{code}: {error}");
        assert!(error.to_string().starts_with("the act: "), "{error}");
        assert!(format!("{error:?}").contains(code), "{error:?}");
    }
}

#[tokio::test]
async fn the_data_is_in_no_error() {
    let test = server().await.database().await;
    let table = "create table public.t (n text primary key, j json); insert into public.t values ('s3cret')";
    sqlx::raw_sql(table).execute(test.pool()).await.unwrap();
    for sql in [
        "insert into public.t values ('s3cret')",
        "insert into public.t values ('a', '{s3cret')",
        "select 's3cret'::int",
        "do $$ begin raise exception 's3cret'; end $$",
    ] {
        let error = database("the act", sqlx::raw_sql(sql).execute(test.pool()).await.unwrap_err());
        let text = format!("{error} {error:?}");
        assert!(!text.contains("s3cret"), "{text}");
    }
}

#[tokio::test]
async fn a_missing_table_sends_to_the_migrations() {
    let test = server().await.database().await;
    for sql in ["select * from foldlog.store", "select foldlog.nothing()", "table no_such"] {
        let error = database("the act", sqlx::raw_sql(sql).execute(test.pool()).await.unwrap_err());
        assert_eq!(error.kind(), ErrorKind::Setup, "{error}");
        assert!(error.to_string().contains("run the migrations"), "{error}");
    }
}

#[tokio::test]
async fn a_closed_pool_is_the_end_of_the_program_and_no_fault_of_the_server() {
    let test = server().await.database().await;
    let db = test.db();
    db.clone().close().await;
    let error = sqlx::query("select 1").execute(db.pool()).await.unwrap_err();
    assert_eq!(database("the act", error).kind(), ErrorKind::Stopped);
}
