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
