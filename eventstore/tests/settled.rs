//! The settled position under fire: foreign locks, forged bounds and hints, other isolation levels.

use foldlog_core::{ErrorKind, Expected, Position, Source};
use foldlog_eventstore::AppendError;
use foldlog_pg::settled;
use sqlx::PgConnection;

use crate::readers::{Follower, Recipe};
use crate::support::{Bench, failure, noted, number, pid, request, run, text};

const LAST: &str = "select foldlog.log_last(0)";

async fn settled_now(session: &mut PgConnection) -> u64 {
    settled::settled(session, settled::EVENT_LOG, Position::START).await.unwrap().get()
}

#[tokio::test]
async fn locks_of_others_on_their_own_keys_stall_nobody() {
    let bench = Bench::new().await;
    let mut reader = Follower::new(&bench, Recipe::Ours).await;
    let mut stranger = bench.session().await;
    // Small keys, two-part keys, other stores, other logs of our store, and its bound held exclusively.
    for sql in [
        "select pg_advisory_lock_shared(0), pg_advisory_lock_shared(1), pg_advisory_lock(2)",
        "select pg_advisory_lock_shared(16777216, 0), pg_advisory_lock_shared(0, 0)",
        "select pg_advisory_lock_shared(2::bigint << 56), pg_advisory_lock_shared(127::bigint << 56)",
        "select pg_advisory_lock_shared(-(1::bigint << 56))",
        "select pg_advisory_lock_shared(foldlog.lock_key(1, 1, 0))",
        "select pg_advisory_lock_shared(foldlog.lock_key(1, 4095, 0))",
        "select pg_advisory_lock(foldlog.lock_key(1, 0, 1000000))",
    ] {
        run(&mut stranger, sql).await;
    }
    bench.append("note-a", Expected::NoStream, 1).await;
    assert_eq!(reader.poll().await, ["note-a@1"]);
    bench.append("note-a", Expected::Exact(1), 2).await;
    assert_eq!(reader.poll().await, ["note-a@2"]);
    assert!(bench.store.blocker().await.unwrap().is_none());
}

#[tokio::test]
async fn a_lock_of_another_database_stalls_nobody() {
    let (bench, other) = (Bench::new().await, Bench::new().await);
    let mut stranger = other.begun().await;
    other.append_in(&mut stranger, "note-elsewhere").await;
    let mut reader = Follower::new(&bench, Recipe::Ours).await;
    bench.append("note-a", Expected::Any, 1).await;
    assert_eq!(reader.poll().await, ["note-a@1"]);
}

#[tokio::test]
async fn a_forged_bound_delays_and_is_named_and_loses_nothing() {
    let bench = Bench::new().await;
    let mut reader = Follower::new(&bench, Recipe::Ours).await;
    bench.append("note-a", Expected::Any, 1).await;
    let mut forger = bench.session().await;
    run(&mut forger, "set application_name = 'forger'").await;
    run(&mut forger, "select pg_advisory_lock_shared(foldlog.lock_key(1, 0, 1))").await;
    bench.append("note-a", Expected::Any, 2).await;
    assert_eq!(reader.poll().await, ["note-a@1"], "up to the forged bound");
    let mut session = bench.session().await;
    let holder = settled::holder(&mut session, settled::EVENT_LOG).await.unwrap().unwrap();
    assert_eq!(holder.bound, Position::new(1));
    assert_eq!(holder.pid, Some(pid(&mut forger).await));
    assert_eq!(holder.application.as_deref(), Some("forger"));
    let words = bench.store.blocker().await.unwrap().unwrap();
    assert!(words.contains("forger"), "{words}");
    run(&mut forger, "select pg_advisory_unlock_all()").await;
    assert_eq!(reader.poll().await, ["note-a@2"]);
    assert!(settled::holder(&mut session, settled::EVENT_LOG).await.unwrap().is_none());
}

#[tokio::test]
async fn a_bound_held_exclusively_delays_the_append_and_loses_nothing() {
    let bench = Bench::new().await;
    bench.append("note-a", Expected::Any, 1).await;
    let mut forger = bench.session().await;
    run(&mut forger, "select pg_advisory_lock(foldlog.lock_key(1, 0, 1))").await;
    let waiting = bench.appending(request([noted("note-b", Expected::Any, 1)]));
    bench.waiting(1).await;
    run(&mut forger, "select pg_advisory_unlock_all()").await;
    waiting.await.unwrap().unwrap();
    assert_eq!(bench.all().await, ["note-a@1", "note-b@1"]);
}

#[tokio::test]
async fn a_prepared_append_is_waited_for_and_named() {
    let bench = Bench::new().await;
    let mut reader = Follower::new(&bench, Recipe::Ours).await;
    let mut session = bench.begun().await;
    bench.append_in(&mut session, "note-prepared").await;
    let name = format!("prepared in {}", bench.database.name());
    let sql = format!("prepare transaction '{name}'");
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut session).await.unwrap();
    bench.append("note-b", Expected::Any, 1).await;
    assert!(reader.poll().await.is_empty());
    let holder = settled::holder(&mut session, settled::EVENT_LOG).await.unwrap().unwrap();
    assert_eq!((holder.pid, holder.gid.as_deref()), (None, Some(name.as_str())));
    assert!(bench.store.blocker().await.unwrap().unwrap().contains(&name));
    let sql = format!("commit prepared '{name}'");
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut session).await.unwrap();
    assert_eq!(reader.poll().await, ["note-prepared@1", "note-b@1"]);
}

#[tokio::test]
async fn a_reader_above_read_committed_is_refused() {
    let bench = Bench::new().await;
    for sql in [
        "begin isolation level repeatable read",
        "begin isolation level serializable",
        "set default_transaction_isolation = 'repeatable read'",
        "set default_transaction_isolation = 'serializable'",
    ] {
        let mut session = bench.session().await;
        run(&mut session, sql).await;
        let error = settled::settled(&mut session, 0, Position::START).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Setup, "{sql}");
        assert!(error.to_string().contains("read committed"), "{error}");
    }
    let mut session = bench.session().await;
    run(&mut session, "begin isolation level repeatable read; select 1").await;
    let read = "select * from foldlog.read_all_1(0, 10, 1000000, 1, 0, '{}', '{}')";
    assert_eq!(crate::support::refused(&mut session, read).await, "FL001");
    // foldlog's own sessions do not follow the database's default.
    let mut admin = bench.session().await;
    let sql = format!(
        "alter database {} set default_transaction_isolation = 'serializable'",
        bench.database.name()
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut admin).await.unwrap();
    bench.append("note-a", Expected::Any, 1).await;
    assert_eq!(bench.all().await, ["note-a@1"]);
}

#[tokio::test]
async fn an_append_at_repeatable_read_works_and_a_rival_makes_it_retryable() {
    for level in ["begin isolation level repeatable read", "begin isolation level serializable"] {
        let bench = Bench::new().await;
        bench.append("note-a", Expected::Any, 1).await;
        let mut session = bench.session().await;
        run(&mut session, level).await;
        run(&mut session, "select 1 from foldlog.stream").await;
        bench.append_in(&mut session, "note-a").await;
        bench.append_in(&mut session, "note-new").await;
        run(&mut session, "commit").await;
        // A rival appends to the stream, makes it, or leaves the receipt, after our snapshot.
        for stream in ["note-a", "note-born"] {
            run(&mut session, level).await;
            run(&mut session, "select 1 from foldlog.stream").await;
            let request = request([noted(stream, Expected::Any, 1)]);
            bench.store.append(&request).await.unwrap();
            let error = failure(bench.store.append_in(&mut session, &request).await);
            assert_eq!(error.kind(), ErrorKind::Retry, "{level}: {error}");
            run(&mut session, "rollback").await;
        }
        assert_eq!(bench.all().await.len(), 5);
    }
}

#[tokio::test]
async fn the_same_id_on_another_stream_at_repeatable_read_is_retryable() {
    let bench = Bench::new().await;
    let id = uuid::Uuid::now_v7();
    let (first, second) = (noted("note-a", Expected::Any, 1), noted("note-b", Expected::Any, 1));
    let mut session = bench.session().await;
    run(&mut session, "begin isolation level repeatable read; select 1 from foldlog.stream").await;
    bench.store.append(&request([first]).id(id)).await.unwrap();
    let late = request([second]).id(id);
    let error = failure(bench.store.append_in(&mut session, &late).await);
    assert_eq!(error.kind(), ErrorKind::Retry, "{error}");
    run(&mut session, "rollback; begin").await;
    let error = failure(bench.store.append_in(&mut session, &late).await);
    assert_eq!(error.kind(), ErrorKind::IdReused);
}

#[tokio::test]
async fn a_forged_hint_delays_at_most() {
    let bench = Bench::new().await;
    bench.append("note-a", Expected::Any, 1).await;
    bench.append("note-a", Expected::Any, 2).await;
    let mut session = bench.session().await;
    // The bound that is published, by what stands in the hint for this very transaction.
    for (hint, bound) in [
        ("0", 0),
        ("1", 1),
        ("9999999999999", 2),
        ("99999999999999999999", 2),
        ("-1", 2),
        ("garbage", 2),
        ("", 2),
        ("1:1", 2),
        ("1'", 2),
    ] {
        for session_level in [true, false] {
            let mut writer = bench.begun().await;
            sqlx::query(
                "select set_config('foldlog.bound_0', pg_current_xact_id()::text || ':' || $1, $2)",
            )
            .bind(hint)
            .bind(!session_level)
            .execute(&mut writer)
            .await
            .unwrap();
            let last = number(&mut session, LAST).await;
            bench.append_in(&mut writer, "note-b").await;
            let holder = settled::holder(&mut session, 0).await.unwrap().unwrap();
            let expected = if bound == 2 { last } else { bound };
            assert_eq!(holder.bound.get(), expected.cast_unsigned(), "{hint}");
            assert!(settled_now(&mut session).await <= last.cast_unsigned(), "{hint}");
            run(&mut writer, "commit").await;
            // A leftover of another transaction means nothing.
            bench.append_in(&mut writer, "note-b").await;
        }
    }
    assert_eq!(bench.all().await.len(), 2 + 9 * 2 * 2);
}

#[tokio::test]
async fn a_hint_of_any_shape_hides_no_open_append() {
    let bench = Bench::new().await;
    let mut reader = Follower::new(&bench, Recipe::Ours).await;
    let mut writer = bench.session().await;
    let last = text(&mut writer, "select foldlog.log_last(0)::text").await;
    assert_eq!(last, "0");
    run(&mut writer, "set foldlog.bound_0 = '999999:999999'; begin").await;
    bench.append_in(&mut writer, "note-open").await;
    bench.append("note-b", Expected::Any, 1).await;
    assert!(reader.poll().await.is_empty());
    run(&mut writer, "commit").await;
    assert_eq!(reader.poll().await, ["note-open@1", "note-b@1"]);
}

#[tokio::test]
async fn an_append_that_waits_too_long_says_busy_and_leaves_nothing() {
    let bench = Bench::new().await;
    bench.append("note-a", Expected::Any, 1).await;
    let mut holder = bench.begun().await;
    bench.append_in(&mut holder, "note-a").await;
    let mut session = bench.begun().await;
    run(&mut session, "set local lock_timeout = '10ms'").await;
    let blocked = request([noted("note-a", Expected::Any, 1)]);
    match bench.store.append_in(&mut session, &blocked).await {
        Err(AppendError::Busy { stream, .. }) => assert_eq!(stream.as_str(), "note-a"),
        other => panic!("{other:?}"),
    }
    run(&mut session, "rollback").await;
    run(&mut holder, "rollback").await;
    assert_eq!(bench.all().await, ["note-a@1"]);
}
