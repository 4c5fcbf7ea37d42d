//! The schedules on which global readers lose or reorder events. Each is run with our reader, which
//! must hold, and with a popular one, which must fail.

use foldlog_testkit::server;
use sqlx::{Connection, Row};

use crate::readers::{Follower, Recipe};
use crate::support::{Bench, run};

/// Position 1 commits after position 2.
async fn late_commit(recipe: Recipe) -> Vec<String> {
    let bench = Bench::new().await;
    let mut reader = Follower::new(&bench, recipe).await;
    let (mut first, mut second) = (bench.begun().await, bench.begun().await);
    bench.append_in(&mut first, "note-first").await;
    bench.append_in(&mut second, "note-second").await;
    run(&mut second, "commit").await;
    reader.poll().await;
    run(&mut first, "commit").await;
    reader.poll().await;
    reader.delivered
}

#[tokio::test]
async fn a_late_commit_is_never_skipped() {
    assert_eq!(late_commit(Recipe::Ours).await, ["note-first@1", "note-second@1"]);
    assert_eq!(late_commit(Recipe::Plain).await, ["note-second@1"], "the schedule bites");
}

/// The lower position belongs to the higher transaction id, which commits last.
async fn early_xid_with_a_late_position(recipe: Recipe) -> Vec<String> {
    let bench = Bench::new().await;
    let mut reader = Follower::new(&bench, recipe).await;
    let (mut early, mut late) = (bench.begun().await, bench.begun().await);
    run(&mut early, "select pg_current_xact_id()").await;
    bench.append_in(&mut late, "note-late").await;
    bench.append_in(&mut early, "note-early").await;
    run(&mut early, "commit").await;
    reader.poll().await;
    run(&mut late, "commit").await;
    reader.poll().await;
    reader.delivered
}

#[tokio::test]
async fn an_early_transaction_with_a_late_position_hides_nothing() {
    let ours = early_xid_with_a_late_position(Recipe::Ours).await;
    assert_eq!(ours, ["note-late@1", "note-early@1"]);
    let theirs = early_xid_with_a_late_position(Recipe::XminHere).await;
    assert_eq!(theirs, ["note-early@1"], "the schedule bites");
}

/// Version 2 of a hot stream is written by the older transaction.
async fn inversion(recipe: Recipe) -> Vec<String> {
    let bench = Bench::new().await;
    let mut reader = Follower::new(&bench, recipe).await;
    let mut old = bench.begun().await;
    run(&mut old, "select pg_current_xact_id()").await;
    let mut young = bench.begun().await;
    bench.append_in(&mut young, "note-hot").await;
    run(&mut young, "commit").await;
    bench.append_in(&mut old, "note-hot").await;
    run(&mut old, "commit").await;
    reader.poll().await;
    reader.delivered
}

#[tokio::test]
async fn versions_of_a_stream_are_read_in_order_whatever_their_transactions() {
    assert_eq!(inversion(Recipe::Ours).await, ["note-hot@1", "note-hot@2"]);
    let theirs = inversion(Recipe::ByXidHere).await;
    assert_eq!(theirs, ["note-hot@2", "note-hot@1"], "the schedule bites");
}

#[tokio::test]
async fn a_gap_is_waited_for_while_it_is_open_and_forgotten_when_it_is_rolled_back() {
    let bench = Bench::new().await;
    let mut reader = Follower::new(&bench, Recipe::Ours).await;
    let (mut dead, mut live) = (bench.begun().await, bench.begun().await);
    bench.append_in(&mut dead, "note-dead").await;
    bench.append_in(&mut live, "note-live").await;
    run(&mut live, "commit").await;
    assert!(reader.poll().await.is_empty(), "position 1 is open");
    run(&mut dead, "rollback").await;
    assert_eq!(reader.poll().await, ["note-live@1"]);
    bench.append_in(&mut live, "note-dead").await;
    assert_eq!(reader.poll().await, ["note-dead@1"]);
}

#[tokio::test]
async fn a_gap_whose_transaction_lost_its_connection_stalls_nobody() {
    let bench = Bench::new().await;
    let mut reader = Follower::new(&bench, Recipe::Ours).await;
    let mut dying = bench.begun().await;
    bench.append_in(&mut dying, "note-dying").await;
    bench.append_in(&mut bench.session().await, "note-live").await;
    assert!(reader.poll().await.is_empty());
    let pid = crate::support::pid(&mut dying).await;
    let mut other = bench.session().await;
    // Waits for the end of the process.
    let ended: bool = sqlx::query("select pg_terminate_backend($1, 20000)")
        .bind(pid)
        .fetch_one(&mut other)
        .await
        .unwrap()
        .get(0);
    assert!(ended);
    assert_eq!(reader.poll().await, ["note-live@1"]);
}

#[tokio::test]
async fn transactions_that_append_nothing_stall_nobody() {
    let bench = Bench::new().await;
    let mut ours = Follower::new(&bench, Recipe::Ours).await;
    let mut theirs = Follower::new(&bench, Recipe::Xmin).await;
    // A writer of another database of the server, and one of this database.
    let other = server().await.database().await;
    let mut stranger = other.pool().acquire().await.unwrap().detach();
    run(&mut stranger, "begin; create table public.t (n int); insert into public.t values (1)")
        .await;
    let mut neighbour = bench.begun().await;
    run(&mut neighbour, "create table public.t (n int)").await;
    bench.append_in(&mut bench.session().await, "note-live").await;
    assert_eq!(ours.poll().await, ["note-live@1"]);
    assert!(theirs.poll().await.is_empty(), "the schedule bites");
    run(&mut neighbour, "rollback").await;
    assert!(theirs.poll().await.is_empty(), "the other database alone stalls such a reader");
    stranger.close().await.unwrap();
}

/// A read that has its snapshot, and then waits while an append commits.
async fn read_across_a_commit(sql: &'static str) -> Vec<i64> {
    let bench = Bench::new().await;
    let mut gate = bench.session().await;
    run(&mut gate, "select pg_advisory_lock(77)").await;
    let mut first = bench.begun().await;
    bench.append_in(&mut first, "note-first").await;
    bench.append_in(&mut bench.session().await, "note-second").await;
    let mut session = bench.session().await;
    let reading = tokio::spawn(async move {
        let rows = sqlx::query(sql).fetch_all(&mut session).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    });
    bench.waiting(1).await;
    run(&mut first, "commit").await;
    run(&mut gate, "select pg_advisory_unlock(77)").await;
    reading.await.unwrap()
}

#[tokio::test]
async fn the_rows_are_read_in_a_later_snapshot_than_the_bounds() {
    let ours = read_across_a_commit(
        "with gate as materialized (select pg_advisory_lock(77))
        select r.position from gate,
            lateral foldlog.read_all_1(0, 10, 1000000, 1, 0, '{}', '{}') r
        where r.event_id is not null",
    )
    .await;
    assert_eq!(ours, [1, 2]);
    // The lock table and the rows in one statement: it passes over position 1 for ever.
    let theirs = read_across_a_commit(
        "with settled as materialized (
            select pg_advisory_lock(77), foldlog.settled_1(0, 0) as position)
        select e.position from foldlog.event e, settled s
        where e.position > 0 and e.position <= s.position order by 1",
    )
    .await;
    assert_eq!(theirs, [2], "the schedule bites");
}

#[tokio::test]
async fn a_reader_of_the_empty_store_does_not_miss_the_first_event() {
    let bench = Bench::new().await;
    let mut reader = Follower::new(&bench, Recipe::Ours).await;
    assert!(reader.poll().await.is_empty());
    let mut first = bench.begun().await;
    bench.append_in(&mut first, "note-first").await;
    assert!(reader.poll().await.is_empty(), "it is open");
    run(&mut first, "commit").await;
    assert_eq!(reader.poll().await, ["note-first@1"]);
}
