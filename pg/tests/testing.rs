//! The test kit itself: clones, templates, what is left behind.

use std::time::Duration;

use foldlog_testkit::{server, template, wait_until};
use sqlx::Row;

async fn databases_like(name: &str) -> i64 {
    let pool = foldlog_pg::Db::open(server().await.endpoint().clone(), None).await.unwrap();
    let row = sqlx::query("select count(*) from pg_database where datname = $1")
        .bind(name)
        .fetch_one(pool.pool())
        .await
        .unwrap();
    pool.close().await;
    row.get(0)
}

#[tokio::test]
async fn a_clone_has_what_was_prepared_and_is_gone_after_the_test() {
    let prepare = async |db: foldlog_pg::Db| {
        sqlx::raw_sql("create table public.prepared (n int)").execute(db.pool()).await.unwrap();
    };
    let prepared = template("testkit", "one table", prepare).await;
    let again = template("testkit", "one table", async |_| panic!("it was prepared")).await;
    let (first, second) = (prepared.database().await, again.database().await);
    sqlx::query("insert into public.prepared values (1)").execute(first.pool()).await.unwrap();
    let row = sqlx::query("select count(*) from public.prepared").fetch_one(second.pool());
    assert_eq!(row.await.unwrap().get::<i64, _>(0), 0);
    let name = first.name().to_owned();
    drop(first);
    wait_until(Duration::from_secs(10), async || databases_like(&name).await == 0).await;
}

/// `cargo xtask matrix` asks this first, and reads the version from the output.
#[tokio::test]
async fn the_server_is_of_the_major_that_was_asked_for() {
    let db = foldlog_pg::Db::open(server().await.endpoint().clone(), None).await.unwrap();
    let asked = "select current_setting('server_version'), current_setting('server_version_num')";
    let row = sqlx::query(asked).fetch_one(db.pool()).await.unwrap();
    let (version, number): (String, String) = (row.get(0), row.get(1));
    db.close().await;
    // On a line of its own, whatever the harness has written before it.
    println!("\nserver_version {version}");
    let variables = foldlog_pg::Variables::from_process();
    // A server that is named by its address is of the version that it is.
    if variables.get("FOLDLOG_TEST_URL").is_none()
        && let Some(major) = variables.get("FOLDLOG_PG")
    {
        let number: u32 = number.parse().unwrap();
        assert_eq!((number / 10_000).to_string(), major);
    }
}
