//! Migrations: once, by one of many, and never over what somebody changed.

use foldlog_core::ErrorKind;
use foldlog_eventstore::EventStore;
use foldlog_pg::Migrator;
use foldlog_testkit::{TestDatabase, server};

use crate::support::{database, number, run};

async fn session(database: &TestDatabase) -> sqlx::PgConnection {
    database.db().session("foldlog test").await.unwrap()
}

const HISTORY: &str = "select count(*) from foldlog.migration";

#[tokio::test]
async fn a_missing_schema_is_named_with_its_remedy() {
    let empty = server().await.database().await;
    let error = EventStore::open(&empty.db()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Setup);
    assert!(error.to_string().contains("run the migrations"), "{error}");
    let db = empty.db();
    let error = Migrator::new(&db, &EventStore::SETS).check().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Setup);
    assert!(error.to_string().contains("base 1"), "{error}");
    let left = "select count(*) from pg_namespace where nspname = 'foldlog'";
    assert_eq!(number(&mut session(&empty).await, left).await, 0, "a check changes nothing");
}

#[tokio::test]
async fn migrating_again_changes_nothing() {
    let database = database().await;
    let db = database.db();
    let mut session = session(&database).await;
    let before = number(&mut session, HISTORY).await;
    let state = "select sum(xmin::text::bigint)::bigint from foldlog.migration";
    let untouched = number(&mut session, state).await;
    Migrator::new(&db, &EventStore::SETS).run().await.unwrap();
    Migrator::new(&db, &EventStore::SETS).check().await.unwrap();
    assert_eq!(number(&mut session, HISTORY).await, before);
    assert_eq!(number(&mut session, state).await, untouched);
}

#[tokio::test]
async fn of_many_migrators_at_once_each_migration_runs_once() {
    let empty = server().await.database().await;
    // Also where the database's default would show the waiting ones an old history.
    let sql = format!(
        "alter database {} set default_transaction_isolation = 'repeatable read'",
        empty.name()
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(empty.pool()).await.unwrap();
    let db = empty.db();
    let migrators =
        (0..8).map(|_| Migrator::new(&db, &EventStore::SETS).event_segment_width(1_000).run());
    for result in futures_util::future::join_all(migrators).await {
        result.unwrap();
    }
    let mut session = session(&empty).await;
    let all: usize = EventStore::SETS.iter().map(|set| set.migrations.len()).sum();
    assert_eq!(number(&mut session, HISTORY).await, i64::try_from(all).unwrap());
    let width = "select segment_width from foldlog.log where number = 0";
    assert_eq!(number(&mut session, width).await, 1_000);
    EventStore::open(&db).await.unwrap();
}

#[tokio::test]
async fn the_width_of_segments_is_fixed_when_the_store_is_made() {
    let database = database().await;
    let db = database.db();
    Migrator::new(&db, &EventStore::SETS).event_segment_width(7).run().await.unwrap();
    let mut session = session(&database).await;
    let width = "select segment_width from foldlog.log where number = 0";
    assert_eq!(number(&mut session, width).await, 65_536);
    let empty = server().await.database().await;
    Migrator::new(&empty.db(), &EventStore::SETS).run().await.unwrap();
    let mut session = empty.db().session("foldlog test").await.unwrap();
    assert_eq!(number(&mut session, width).await, 1 << 26);
}

#[tokio::test]
async fn a_migration_that_was_changed_after_it_ran_is_named() {
    let database = database().await;
    let db = database.db();
    let mut session = session(&database).await;
    run(
        &mut session,
        "update foldlog.migration set checksum = '\\x00' where set_name = 'eventstore' and number = 2",
    )
    .await;
    for error in [
        Migrator::new(&db, &EventStore::SETS).run().await.unwrap_err(),
        Migrator::new(&db, &EventStore::SETS).check().await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Setup);
        assert!(error.to_string().contains("eventstore 2 (slice)"), "{error}");
    }
}

#[tokio::test]
async fn a_newer_schema_is_accepted_until_it_says_otherwise() {
    let database = database().await;
    let db = database.db();
    let mut session = session(&database).await;
    run(
        &mut session,
        "insert into foldlog.migration (set_name, number, name, checksum, floor)
        values ('eventstore', 99, 'later', '\\x01', 0), ('other', 1, 'other', '\\x01', 500)",
    )
    .await;
    Migrator::new(&db, &EventStore::SETS).run().await.unwrap();
    Migrator::new(&db, &EventStore::SETS).check().await.unwrap();
    EventStore::open(&db).await.unwrap();
    run(&mut session, "update foldlog.migration set floor = 99 where number = 99").await;
    for error in [
        Migrator::new(&db, &EventStore::SETS).run().await.unwrap_err(),
        Migrator::new(&db, &EventStore::SETS).check().await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Setup);
        assert!(
            error.to_string().contains("eventstore") && error.to_string().contains("99"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_missing_migration_is_named_by_the_check() {
    let database = database().await;
    let db = database.db();
    let mut session = session(&database).await;
    run(&mut session, "delete from foldlog.migration where set_name = 'eventstore' and number = 6")
        .await;
    let error = Migrator::new(&db, &EventStore::SETS).check().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Setup);
    assert!(error.to_string().contains("eventstore 6 (list)"), "{error}");
}
