//! Appends in the user's own transaction: savepoints, errors, several appends, settings.

use foldlog_core::{ErrorKind, Expected};
use sqlx::Connection;

use crate::readers::{Follower, Recipe};
use crate::support::{Bench, conflict, event, failure, name, noted, refused, request, run, text};

#[tokio::test]
async fn what_is_rolled_back_to_a_savepoint_is_gone_and_the_rest_is_safe() {
    let bench = Bench::new().await;
    let mut reader = Follower::new(&bench, Recipe::Ours).await;
    let mut tx = bench.begun().await;
    run(&mut tx, "savepoint s").await;
    bench.append_in(&mut tx, "note-a").await;
    run(&mut tx, "rollback to s").await;
    // The bound of the first append went with it: this one must publish its own.
    let kept = bench.append_in(&mut tx, "note-a").await;
    assert_eq!(kept.streams[0].version, 1);
    bench.append("note-b", Expected::Any, 1).await;
    assert!(reader.poll().await.is_empty(), "the second append is open");
    run(&mut tx, "commit").await;
    assert_eq!(reader.poll().await, ["note-a@1", "note-b@1"]);
}

#[tokio::test]
async fn an_append_before_a_savepoint_keeps_its_bound_when_a_later_one_is_rolled_back() {
    let bench = Bench::new().await;
    let mut reader = Follower::new(&bench, Recipe::Ours).await;
    let mut tx = bench.begun().await;
    bench.append_in(&mut tx, "note-a").await;
    for end in ["rollback to s", "release s"] {
        run(&mut tx, "savepoint s").await;
        bench.append_in(&mut tx, "note-a").await;
        run(&mut tx, end).await;
        bench.append("note-b", Expected::Any, 1).await;
        assert!(reader.poll().await.is_empty(), "{end}");
    }
    let last = bench.append_in(&mut tx, "note-a").await;
    assert_eq!(last.streams[0].version, 3);
    run(&mut tx, "commit").await;
    let order = ["note-a@1", "note-b@1", "note-a@2", "note-b@2", "note-a@3"];
    assert_eq!(reader.poll().await, order);
}

#[tokio::test]
async fn an_append_after_an_error_in_a_savepoint_is_whole() {
    let bench = Bench::new().await;
    let mut reader = Follower::new(&bench, Recipe::Ours).await;
    let mut tx = bench.begun().await;
    run(&mut tx, "savepoint s").await;
    bench.append_in(&mut tx, "note-a").await;
    assert_eq!(refused(&mut tx, "select 1 / 0").await, "22012");
    run(&mut tx, "rollback to s").await;
    bench.append_in(&mut tx, "note-b").await;
    bench.append("note-c", Expected::Any, 1).await;
    assert!(reader.poll().await.is_empty());
    run(&mut tx, "commit").await;
    assert_eq!(reader.poll().await, ["note-b@1", "note-c@1"]);
    assert!(bench.stream("note-a").await.is_empty());
}

#[tokio::test]
async fn two_appends_in_one_transaction_are_visible_together_or_never() {
    let bench = Bench::new().await;
    let mut reader = Follower::new(&bench, Recipe::Ours).await;
    for (end, seen) in [("rollback", 0), ("commit", 3)] {
        let mut tx = bench.begun().await;
        bench.append_in(&mut tx, "note-a").await;
        bench.append("note-between", Expected::Any, 1).await;
        bench.append_in(&mut tx, "note-a").await;
        bench.append_in(&mut tx, "note-b").await;
        assert!(reader.poll().await.is_empty());
        run(&mut tx, end).await;
        assert_eq!(reader.poll().await.len(), seen + 1, "{end}");
    }
}

#[tokio::test]
async fn a_transaction_reads_its_own_appends() {
    let bench = Bench::new().await;
    let mut tx = bench.begun().await;
    bench.append_in(&mut tx, "note-a").await;
    let page = bench.store.read_stream_in(&mut tx, &name("note-a"), 0, 10).await.unwrap();
    assert_eq!((page.version, page.events.len()), (1, 1));
    assert!(bench.stream("note-a").await.is_empty(), "others do not");
    run(&mut tx, "rollback").await;
}

#[tokio::test]
async fn a_type_that_was_rolled_back_is_made_again() {
    let bench = Bench::new().await;
    let fresh = || {
        let events = vec![event("NeverSeen", "1")];
        let part = foldlog_eventstore::StreamEvents::raw(name("fresh-1"), Expected::Any, events);
        request([part])
    };
    let mut tx = bench.begun().await;
    bench.store.append_in(&mut tx, &fresh()).await.unwrap();
    // Reading makes the process look the type up, inside the transaction.
    let page = bench.store.read_stream_in(&mut tx, &name("fresh-1"), 0, 10).await.unwrap();
    assert_eq!(&*page.events[0].kind, "NeverSeen");
    run(&mut tx, "rollback").await;
    bench.store.append(&fresh()).await.unwrap();
    let page = bench.store.read_stream(&name("fresh-1"), 0, 10).await.unwrap();
    assert_eq!(&*page.events[0].kind, "NeverSeen");
    assert_eq!(bench.all().await, ["fresh-1@1"], "no event is left without its type");
}

#[tokio::test]
async fn an_append_does_not_wait_for_ever_for_a_type_that_is_being_made() {
    let bench = Bench::new().await;
    let fresh = || {
        let events = vec![event("NeverSeen", "1")];
        request([foldlog_eventstore::StreamEvents::raw(name("fresh-1"), Expected::Any, events)])
    };
    let mut tx = bench.begun().await;
    bench.store.append_in(&mut tx, &fresh()).await.unwrap();
    let mut other = bench.begun().await;
    run(&mut other, "set local lock_timeout = '10ms'").await;
    let busy = bench.store.append_in(&mut other, &fresh()).await;
    assert!(matches!(busy, Err(foldlog_eventstore::AppendError::Busy { .. })), "{busy:?}");
    // One of its own is bounded, too.
    let waiting = bench.appending(fresh());
    bench.waiting(1).await;
    let mut session = bench.session().await;
    let sql = "select coalesce(max(1), 0)::bigint from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'";
    assert_eq!(crate::support::number(&mut session, sql).await, 1);
    run(&mut tx, "commit").await;
    waiting.await.unwrap().unwrap();
    assert_eq!(bench.all().await, ["fresh-1@1", "fresh-1@2"]);
}

#[tokio::test]
async fn a_conflict_leaves_the_transaction_usable() {
    let bench = Bench::new().await;
    let mut tx = bench.begun().await;
    bench.append_in(&mut tx, "note-a").await;
    let stale = request([noted("note-a", Expected::NoStream, 9)]);
    let result = bench.store.append_in(&mut tx, &stale).await;
    assert_eq!(conflict(result), ("note-a".into(), Expected::NoStream, 1));
    bench.append_in(&mut tx, "note-b").await;
    run(&mut tx, "commit").await;
    assert_eq!(bench.all().await, ["note-a@1", "note-b@1"]);
}

#[tokio::test]
async fn an_append_is_flushed_where_the_session_does_not_ask_for_it() {
    let bench = Bench::new().await;
    let setting = "select current_setting('synchronous_commit')";
    for (asked, held) in
        [("set synchronous_commit = off", "local"), ("set synchronous_commit = on", "on")]
    {
        let mut session = bench.session().await;
        run(&mut session, asked).await;
        run(&mut session, "begin").await;
        bench.append_in(&mut session, "note-a").await;
        assert_eq!(text(&mut session, setting).await, held);
        run(&mut session, "commit").await;
        let after = if held == "local" { "off" } else { held };
        assert_eq!(text(&mut session, setting).await, after, "the session's own is untouched");
        session.close().await.unwrap();
    }
}

#[tokio::test]
async fn an_append_in_a_read_only_transaction_is_refused() {
    let bench = Bench::new().await;
    let mut session = bench.session().await;
    run(&mut session, "begin read only").await;
    let request = request([noted("note-a", Expected::Any, 1)]);
    let error = failure(bench.store.append_in(&mut session, &request).await);
    assert_eq!(error.kind(), ErrorKind::Setup);
}
