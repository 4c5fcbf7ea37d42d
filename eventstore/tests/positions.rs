//! Nothing gets into the log but by the append function, and a sequence that was tampered with is
//! noticed.

use foldlog_core::{ErrorKind, Expected, Filter, Position, Source};
use foldlog_eventstore::EventStore;
use sqlx::PgConnection;

use crate::support::{Bench, failure, follow, noted, noted_many, number, refused, request, run};

const INTO_PARENT: &str = "insert into foldlog.event
    (position, stream_id, version, recorded_at, event_id, type_id, slice, payload)
    values (100, 1, 100, now(), gen_random_uuid(), 1, 0, 'null')";
const INTO_SEGMENT: &str = "insert into foldlog.event_000000
    (position, stream_id, version, recorded_at, event_id, type_id, slice, payload)
    values (100, 1, 100, now(), gen_random_uuid(), 1, 0, 'null')";

async fn copy_refused(session: &mut PgConnection, table: &str) -> String {
    let sql = format!(
        "copy {table} (position, stream_id, version, recorded_at, event_id, type_id, slice, payload)
        from stdin"
    );
    let result = async {
        let mut copy = session.copy_in_raw(&sql).await?;
        let row = "100\t1\t100\tnow\t0d7a1d4e-54c3-4f9c-9e63-5fbf0a2c0f11\t1\t0\tnull\n";
        copy.send(row.as_bytes()).await?;
        copy.finish().await
    };
    let error = result.await.expect_err(table);
    error.as_database_error().unwrap().code().unwrap().into_owned()
}

#[tokio::test]
async fn a_raw_insert_is_refused_in_the_table_and_in_its_segments() {
    let bench = Bench::new().await;
    bench.append("note-a", Expected::Any, 1).await;
    let mut session = bench.session().await;
    for setting in [
        "set session_replication_role = 'origin'",
        "set session_replication_role = 'replica'",
        "set foldlog.bound_0 = '1:0'",
    ] {
        run(&mut session, setting).await;
        assert_eq!(refused(&mut session, INTO_PARENT).await, "FL005", "{setting}");
        assert_eq!(refused(&mut session, INTO_SEGMENT).await, "FL005", "{setting}");
        assert_eq!(copy_refused(&mut session, "foldlog.event").await, "FL005", "{setting}");
        assert_eq!(copy_refused(&mut session, "foldlog.event_000000").await, "FL005", "{setting}");
    }
    // A segment made later is guarded too.
    run(&mut session, "select setval('foldlog.event_position', 65536 * 7)").await;
    run(&mut session, "select foldlog.segment_ensure_1(0)").await;
    let late = "insert into foldlog.event_000008
        (position, stream_id, version, recorded_at, event_id, type_id, slice, payload)
        values (65536 * 8, 1, 100, now(), gen_random_uuid(), 1, 0, 'null')";
    assert_eq!(refused(&mut session, late).await, "FL005");
    assert_eq!(bench.all().await, ["note-a@1"]);
}

#[tokio::test]
async fn a_sequence_that_was_set_back_is_noticed_by_writers_readers_and_at_the_start() {
    let bench = Bench::new().await;
    for n in 1..=5 {
        bench.append("note-a", Expected::Any, n).await;
    }
    let mut reader = bench.store.reader().await.unwrap();
    let mut cursor = Position::START;
    assert_eq!(follow(&mut *reader, &mut cursor).await.len(), 5);
    let mut session = bench.session().await;
    for set_back in [
        "select setval('foldlog.event_position', 2)",
        "select setval('foldlog.event_position', 1, false)",
        "alter sequence foldlog.event_position restart",
    ] {
        run(&mut session, set_back).await;
        let error = reader.page(&Filter::all(), cursor, 10).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Foreign, "{set_back}: {error}");
        let late = request([noted("note-a", Expected::Any, 6)]);
        let error = failure(bench.store.append(&late).await);
        assert_eq!(error.kind(), ErrorKind::Internal, "{set_back}: {error}");
        assert_eq!(foldlog_pg::sqlstate(&error), Some("FL004"), "{set_back}");
        let error = EventStore::open(&bench.database.db()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Setup, "{set_back}");
        mend(&mut session, &error).await;
        EventStore::open(&bench.database.db()).await.unwrap();
        assert!(follow(&mut *reader, &mut cursor).await.is_empty());
    }
    bench.append("note-a", Expected::Exact(5), 6).await;
    assert_eq!(follow(&mut *reader, &mut cursor).await.len(), 1);
}

/// Runs the command that the error tells the operator.
async fn mend(session: &mut PgConnection, error: &foldlog_core::Error) {
    let text = error.to_string();
    let command = text.rsplit_once("run ").expect("it names a command").1.to_owned();
    sqlx::raw_sql(sqlx::AssertSqlSafe(command)).execute(session).await.unwrap();
}

#[tokio::test]
async fn a_sequence_set_back_into_a_hole_is_noticed() {
    let bench = Bench::new().await;
    bench.append("note-a", Expected::Any, 1).await;
    let mut hole = bench.begun().await;
    let many = request([noted_many("note-hole", Expected::Any, 1, 8)]);
    bench.store.append_in(&mut hole, &many).await.unwrap();
    run(&mut hole, "rollback").await;
    bench.append("note-a", Expected::Any, 2).await;
    let mut session = bench.session().await;
    assert_eq!(number(&mut session, "select max(position) from foldlog.event").await, 10);
    let mut reader = bench.store.reader().await.unwrap();
    let mut cursor = Position::START;
    assert_eq!(follow(&mut *reader, &mut cursor).await.len(), 2);
    run(&mut session, "select setval('foldlog.event_position', 4)").await;
    // The stream remembers, the reader remembers, and the start looks.
    let late = request([noted("note-a", Expected::Any, 3)]);
    let error = failure(bench.store.append(&late).await);
    assert_eq!(foldlog_pg::sqlstate(&error), Some("FL004"), "{error}");
    let error = reader.page(&Filter::all(), cursor, 10).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Foreign);
    let error = EventStore::open(&bench.database.db()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Setup);
    mend(&mut session, &error).await;
    bench.append("note-a", Expected::Exact(2), 3).await;
    assert_eq!(follow(&mut *reader, &mut cursor).await.len(), 1);
}

#[tokio::test]
async fn a_sequence_with_other_settings_is_named_at_the_start_with_its_remedy() {
    let bench = Bench::new().await;
    bench.append("note-a", Expected::Any, 1).await;
    let mut session = bench.session().await;
    for spoil in [
        "alter sequence foldlog.event_position cache 50",
        "alter sequence foldlog.event_position increment 2",
        "alter sequence foldlog.event_position cycle",
    ] {
        run(&mut session, spoil).await;
        let error = EventStore::open(&bench.database.db()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Setup, "{spoil}");
        mend(&mut session, &error).await;
        EventStore::open(&bench.database.db()).await.unwrap();
    }
}

#[tokio::test]
async fn a_cached_sequence_is_refused_by_the_append_that_draws_below_its_bound() {
    let bench = Bench::new().await;
    let mut session = bench.session().await;
    run(&mut session, "alter sequence foldlog.event_position cache 50").await;
    let (mut first, mut second) = (bench.session().await, bench.session().await);
    bench.append_in(&mut first, "note-a").await;
    bench.append_in(&mut second, "note-b").await;
    let stale = request([noted("note-c", Expected::Any, 1)]);
    let error = failure(bench.store.append_in(&mut first, &stale).await);
    assert_eq!(foldlog_pg::sqlstate(&error), Some("FL004"), "{error}");
    assert_eq!(bench.all().await, ["note-a@1", "note-b@1"]);
}
