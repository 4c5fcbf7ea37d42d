//! Snapshots in the store: which are kept, which serve, and what a load behind one reads.

use std::sync::Arc;

use foldlog_core::Expected::Any;
use foldlog_core::{ErrorKind, Position, StreamName};
use foldlog_eventstore::{SNAPSHOT_BYTES_MAX, Snapshot, SnapshotSchema};
use serde_json::value::RawValue;
use sqlx::PgConnection;
use tokio_util::sync::CancellationToken;

use crate::support::{
    Bench, PATIENCE, database_of_width, name, noted, noted_many, number, request, run,
};

const SCHEMA: SnapshotSchema<'static> = SnapshotSchema { aggregate: "note", hash: &[7; 32] };
const OTHER: SnapshotSchema<'static> = SnapshotSchema { aggregate: "note", hash: &[8; 32] };

/// A snapshot of a stream as it is at a version.
async fn taken(bench: &Bench, stream: &StreamName, version: u64, state: &str) -> Snapshot {
    let page = bench.store.read_stream(stream, version - 1, 1).await.unwrap();
    let state = RawValue::from_string(state.to_owned()).unwrap();
    Snapshot { version, position: page.events[0].position(), state }
}

async fn kept(session: &mut PgConnection) -> i64 {
    number(session, "select coalesce(max(version), 0) from foldlog.snapshot").await
}

#[tokio::test]
async fn a_stream_is_loaded_behind_its_snapshot_byte_for_byte() {
    let bench = Bench::new().await;
    let stream = name("note-a");
    bench.store.append(&request([noted_many("note-a", Any, 0, 30)])).await.unwrap();
    let state = "{\"b\" : 1.0,\"a\":[1e2, \"\\u00e9\"]}";
    let snapshot = taken(&bench, &stream, 20, state).await;
    assert!(bench.store.keep_snapshot(&stream, SCHEMA, &snapshot).await.unwrap());

    let load = bench.store.load_stream(&stream, SCHEMA, u64::MAX, 1_000).await.unwrap();
    let served = load.snapshot.unwrap();
    assert_eq!((served.version, served.position), (20, snapshot.position));
    assert_eq!(served.state.get(), state);
    let versions: Vec<_> = load.page.events.iter().map(|event| event.version).collect();
    assert_eq!(versions, (21..=30).collect::<Vec<_>>());
    assert_eq!((load.page.version, load.page.more), (30, false));

    let load = bench.store.load_stream(&stream, SCHEMA, 20, 5).await.unwrap();
    assert_eq!(load.snapshot.unwrap().version, 20);
    assert_eq!((load.page.events.len(), load.page.more), (5, true));
    for (schema, to_version) in [(SCHEMA, 19), (OTHER, u64::MAX)] {
        let load = bench.store.load_stream(&stream, schema, to_version, 1_000).await.unwrap();
        assert!(load.snapshot.is_none());
        assert_eq!((load.page.events.len(), load.page.events[0].version), (30, 1));
    }
    let none = bench.store.load_stream(&name("note-none"), SCHEMA, u64::MAX, 1_000).await.unwrap();
    assert!(none.snapshot.is_none() && none.page.events.is_empty());
    assert_eq!(none.page.version, 0);
}

#[tokio::test]
async fn what_the_stream_does_not_bear_out_is_not_kept() {
    let bench = Bench::new().await;
    let (stream, mut session) = (name("note-a"), bench.session().await);
    bench.append("note-b", Any, 1).await;
    bench.store.append(&request([noted_many("note-a", Any, 0, 9)])).await.unwrap();
    let good = taken(&bench, &stream, 5, "1").await;
    for wrong in [
        Snapshot { version: 6, ..good.clone() },
        Snapshot { version: 99, ..good.clone() },
        Snapshot { position: Position::new(1), ..good.clone() },
        Snapshot { position: Position::new(1_000_000), ..good.clone() },
    ] {
        assert!(!bench.store.keep_snapshot(&stream, SCHEMA, &wrong).await.unwrap(), "{wrong:?}");
    }
    assert!(!bench.store.keep_snapshot(&name("note-none"), SCHEMA, &good).await.unwrap());
    let large = format!("\"{}\"", "x".repeat(SNAPSHOT_BYTES_MAX));
    let large = taken(&bench, &stream, 5, &large).await;
    let error = bench.store.keep_snapshot(&stream, SCHEMA, &large).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(kept(&mut session).await, 0);
    // Of events that a transaction has not committed nobody else can keep one.
    let mut tx = bench.begun().await;
    let appended =
        bench.store.append_in(&mut tx, &request([noted("note-a", Any, 9)])).await.unwrap();
    let position = appended.streams[0].position.unwrap();
    let open = Snapshot { version: 10, position, ..good };
    assert!(!bench.store.keep_snapshot(&stream, SCHEMA, &open).await.unwrap());
    run(&mut tx, "rollback").await;
    assert_eq!(kept(&mut session).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_writers_the_newest_snapshot_stays() {
    let bench = Arc::new(Bench::new().await);
    let stream = name("note-a");
    bench.store.append(&request([noted_many("note-a", Any, 0, 40)])).await.unwrap();
    for round in 0..5 {
        let mut writers = tokio::task::JoinSet::new();
        for version in (1..=40_u64).rev() {
            let (bench, stream) = (Arc::clone(&bench), stream.clone());
            writers.spawn(async move {
                let snapshot = taken(&bench, &stream, version, &version.to_string()).await;
                bench.store.keep_snapshot(&stream, SCHEMA, &snapshot).await.unwrap()
            });
        }
        writers.join_all().await;
        let load = bench.store.load_stream(&stream, SCHEMA, u64::MAX, 1_000).await.unwrap();
        let snapshot = load.snapshot.unwrap();
        assert_eq!((snapshot.version, snapshot.state.get()), (40, "40"), "round {round}");
        run(&mut bench.session().await, "delete from foldlog.snapshot").await;
    }
    // The later of two that wait for each other is the newer one, or gives way.
    let (old, new) = (taken(&bench, &stream, 3, "3").await, taken(&bench, &stream, 30, "30").await);
    bench.store.keep_snapshot(&stream, SCHEMA, &old).await.unwrap();
    let mut holder = bench.begun().await;
    run(&mut holder, "select from foldlog.snapshot for update").await;
    let newer = {
        let (bench, stream) = (Arc::clone(&bench), stream.clone());
        tokio::spawn(async move { bench.store.keep_snapshot(&stream, SCHEMA, &new).await.unwrap() })
    };
    bench.waiting(1).await;
    let older = {
        let (bench, stream) = (Arc::clone(&bench), stream.clone());
        tokio::spawn(async move { bench.store.keep_snapshot(&stream, SCHEMA, &old).await.unwrap() })
    };
    bench.waiting(2).await;
    run(&mut holder, "rollback").await;
    assert!(newer.await.unwrap() && !older.await.unwrap());
    assert_eq!(kept(&mut holder).await, 30);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loads_of_one_call_get_each_its_own_snapshot() {
    let bench = Arc::new(Bench::new().await);
    let stop = CancellationToken::new();
    let running = tokio::spawn({
        let (store, stop) = (bench.store.clone(), stop.clone());
        async move { store.run(stop).await }
    });
    foldlog_testkit::wait_until(PATIENCE, async || bench.store.sessions_lost().is_some()).await;
    for n in 0..40_u64 {
        let note = format!("note-{n}");
        bench.store.append(&request([noted_many(&note, Any, 0, 12)])).await.unwrap();
        if n % 2 == 0 {
            // Some go with the others. Some are too large for that, and their streams are short.
            let state = format!("\"{n}{}\"", "x".repeat(if n % 8 == 0 { 300 << 10 } else { 3 }));
            let snapshot = taken(&bench, &name(&note), n / 4 + 1, &state).await;
            bench.store.keep_snapshot(&name(&note), SCHEMA, &snapshot).await.unwrap();
        }
    }
    let mut loads = tokio::task::JoinSet::new();
    for round in 0..400_u64 {
        let (bench, n) = (Arc::clone(&bench), round % 41);
        loads.spawn(async move {
            let stream = name(&format!("note-{n}"));
            if round % 3 == 0 {
                let page = bench.store.read_stream(&stream, 0, 1_000).await.unwrap();
                assert_eq!(page.events.len(), if n == 40 { 0 } else { 12 }, "{n}");
                return;
            }
            let load = bench.store.load_stream(&stream, SCHEMA, u64::MAX, 1_000).await.unwrap();
            let version = load.snapshot.as_ref().map_or(0, |snapshot| snapshot.version);
            let serves = n % 2 == 0 && n % 8 > 0;
            assert_eq!(version, if serves { n / 4 + 1 } else { 0 }, "{n}");
            if let Some(snapshot) = &load.snapshot {
                assert!(snapshot.state.get().starts_with(&format!("\"{n}x")), "{n}");
            }
            let end = if n == 40 { 0 } else { 12 };
            let versions: Vec<_> = load.page.events.iter().map(|event| event.version).collect();
            assert_eq!(versions, (version + 1..=end).collect::<Vec<_>>(), "{n}");
        });
    }
    loads.join_all().await;
    stop.cancel();
    running.await.unwrap().unwrap();
    assert_eq!(bench.store.sessions_lost(), None);
}

#[tokio::test]
async fn a_load_behind_a_snapshot_of_a_long_stream_reads_only_the_rest() {
    let bench = Bench::on(database_of_width(8_192).await).await;
    let stream = name("note-long");
    for n in 0..15 {
        bench.store.append(&request([noted_many("note-long", Any, n, 1_000)])).await.unwrap();
        bench.append(&format!("note-{n}"), Any, n).await;
    }
    for n in 0..200 {
        let other = name(&format!("note-s{n}"));
        bench.append(other.as_str(), Any, n).await;
        let snapshot = taken(&bench, &other, 1, "1").await;
        bench.store.keep_snapshot(&other, SCHEMA, &snapshot).await.unwrap();
    }
    let snapshot = taken(&bench, &stream, 14_995, "1").await;
    bench.store.keep_snapshot(&stream, SCHEMA, &snapshot).await.unwrap();
    let read = "select sum(coalesce(idx_tup_fetch, 0) + seq_tup_read)::bigint
        from pg_stat_xact_user_tables where schemaname like 'foldlog%'";
    for analyzed in [false, true] {
        if analyzed {
            let analyze = "analyze foldlog.stream; analyze foldlog.event; analyze foldlog.snapshot";
            run(&mut bench.session().await, analyze).await;
        }
        let mut tx = bench.begun().await;
        let before = number(&mut tx, read).await;
        let load = bench.store.load_stream_in(&mut tx, &stream, SCHEMA, u64::MAX, 1_000).await;
        let load = load.unwrap();
        assert_eq!((load.snapshot.unwrap().version, load.page.events.len()), (14_995, 5));
        let rows = number(&mut tx, read).await - before;
        assert!(rows < 20, "{rows} rows, analyzed {analyzed}");
        let several = "select count(*) from foldlog.load_streams_1(
            array['', ''], array['note-long', 'note-s7'], array[0, 0],
            array[decode(repeat('07', 32), 'hex'), decode(repeat('07', 32), 'hex')], 100, 100000)";
        let before = number(&mut tx, read).await;
        // Two snapshots, five events, and the row of a stream without any behind its snapshot.
        assert_eq!(number(&mut tx, several).await, 8);
        let rows = number(&mut tx, read).await - before;
        assert!(rows < 30, "{rows} rows of two streams, analyzed {analyzed}");
    }
}
