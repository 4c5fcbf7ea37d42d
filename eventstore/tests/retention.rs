//! Segments from their making to their end: watched, frozen, dropped.

mod drops;

use foldlog_core::Expected::Any;
use foldlog_core::{ErrorKind, Position};
use foldlog_eventstore::{Segment, SegmentState};
use foldlog_pg::segment;
use sqlx::PgConnection;

use crate::support::{Bench, database_of_width, number, run};

/// A store with segments of four positions.
pub(super) async fn narrow() -> Bench {
    Bench::on(database_of_width(4).await).await
}

fn states(segments: &[Segment]) -> Vec<(u64, SegmentState)> {
    segments.iter().map(|segment| (segment.number, segment.state)).collect()
}

#[tokio::test]
async fn the_segments_are_listed_with_what_they_hold_and_whether_they_are_written_to() {
    use SegmentState::{Ahead, Closed, Closing, Current};
    let bench = narrow().await;
    assert_eq!(
        states(&bench.store.segments().await.unwrap()),
        [(0, Current), (1, Ahead), (2, Ahead)]
    );
    // Positions 1 to 4: the first segment is full, and an append to it is open.
    let mut open = bench.begun().await;
    bench.append_in(&mut open, "note-open").await;
    for n in 1..=3 {
        bench.append("note-a", Any, n).await;
    }
    run(&mut bench.session().await, "analyze foldlog.event").await;
    let segments = bench.store.segments().await.unwrap();
    assert_eq!(states(&segments), [(0, Closing), (1, Current), (2, Ahead)]);
    run(&mut open, "commit").await;
    let segments = bench.store.segments().await.unwrap();
    assert_eq!(states(&segments), [(0, Closed), (1, Current), (2, Ahead)]);
    assert_eq!(segments[0].positions, Position::START..Position::new(4));
    assert_eq!((segments[0].name.as_str(), segments[0].frozen), ("foldlog.event_000000", false));
    assert!(segments[0].bytes > 0 && segments[0].rows_about.is_some());
}

async fn freeze(session: &mut PgConnection) -> Option<u64> {
    segment::freeze(session, 0).await.unwrap()
}

#[tokio::test]
async fn a_closed_segment_is_frozen_once() {
    let bench = narrow().await;
    let mut session = bench.session().await;
    assert_eq!(freeze(&mut session).await, None, "none is closed");
    for n in 1..=9 {
        bench.append("note-a", Any, n).await;
    }
    assert_eq!(freeze(&mut session).await, Some(0));
    assert_eq!(freeze(&mut session).await, Some(1));
    assert_eq!(freeze(&mut session).await, None);
    let frozen: Vec<_> =
        bench.store.segments().await.unwrap().iter().map(|segment| segment.frozen).collect();
    assert_eq!(frozen, [true, true, false, false, false][..frozen.len()]);
    let unfrozen = "select count(*) from foldlog.event_000000 where xmin::text::bigint > 2
        and age(xmin) <= age((select relfrozenxid from pg_class where oid = 'foldlog.event_000000'::regclass))";
    assert_eq!(number(&mut session, unfrozen).await, 0);
}

#[tokio::test]
async fn a_segment_that_an_old_snapshot_kept_from_freezing_is_frozen_later() {
    let bench = narrow().await;
    let mut session = bench.session().await;
    for n in 1..=5 {
        bench.append("note-a", Any, n).await;
    }
    let mut old = bench.session().await;
    run(&mut old, "begin isolation level repeatable read; select 1 from foldlog.stream").await;
    // Closed after the snapshot, or vacuum could freeze it all the same.
    for n in 6..=9 {
        bench.append("note-a", Any, n).await;
    }
    let mut seen = Vec::new();
    seen.extend(freeze(&mut session).await);
    seen.extend(freeze(&mut session).await);
    assert!(!seen.contains(&1), "{seen:?}");
    run(&mut old, "rollback").await;
    let mut session = bench.session().await;
    while let Some(number) = freeze(&mut session).await {
        seen.push(number);
    }
    seen.sort_unstable();
    assert_eq!(seen, [0, 1]);
}

#[tokio::test]
async fn two_never_freeze_at_once_and_one_that_was_locked_out_comes_again() {
    let bench = narrow().await;
    for n in 1..=5 {
        bench.append("note-a", Any, n).await;
    }
    let (mut first, mut second) = (bench.session().await, bench.session().await);
    let lock = "select pg_advisory_lock(
        foldlog.lock_key(foldlog.store_number(), 4092, 4096))";
    run(&mut first, lock).await;
    assert_eq!(freeze(&mut second).await, None, "another is at it");
    run(&mut first, "select pg_advisory_unlock_all()").await;
    run(&mut first, "begin; lock table foldlog.event_000000 in share update exclusive mode").await;
    let error = segment::freeze(&mut second, 0).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy, "{error}");
    bench.append("note-a", Any, 6).await;
    drop(first);
    drop(second);
    let mut third = bench.session().await;
    let mut frozen = None;
    for _ in 0..500 {
        // The sessions that were let go of end a moment later.
        frozen = segment::freeze(&mut third, 0).await.unwrap_or_default();
        if frozen.is_some() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(frozen, Some(0));
}
