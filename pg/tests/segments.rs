//! Segments: what their names must tell apart.

use foldlog_pg::Migrator;
use foldlog_testkit::server;
use sqlx::Row;

#[tokio::test]
async fn no_two_segments_have_one_name_however_many_there_are() {
    let database = server().await.database().await;
    let sets = [foldlog_migrations::BASE, foldlog_migrations::EVENTSTORE];
    Migrator::new(&database.db(), &sets).run().await.unwrap();
    // Where the number outgrows its six digits, and where it is the largest that a log can reach.
    let sql = "select count(*), count(distinct foldlog.segment_name(l, k))
        from foldlog.log l, unnest(array[100000, 999999, 1000000, 1000001, 10000000,
            9223372036854775807]) k
        where l.number = 0";
    let row = sqlx::query(sql).fetch_one(database.pool()).await.unwrap();
    assert_eq!((row.get::<i64, _>(0), row.get::<i64, _>(1)), (6, 6));
}
