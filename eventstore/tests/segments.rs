//! Segments: appends cross them, and making them stops nobody.

use foldlog_core::ErrorKind;
use foldlog_core::Expected::{Any, Exact};
use foldlog_pg::segment;
use sqlx::PgConnection;

use crate::support::{Bench, database_of_width, failure, noted, noted_many, number, request, run};

const SEGMENTS: &str =
    "select count(*) from pg_inherits where inhparent = 'foldlog.event'::regclass";

async fn bench() -> (Bench, PgConnection) {
    let bench = Bench::on(database_of_width(4).await).await;
    let session = bench.session().await;
    (bench, session)
}

#[tokio::test]
async fn appends_cross_segments_and_streams_are_read_across_them() {
    let (bench, mut session) = bench().await;
    assert_eq!(number(&mut session, SEGMENTS).await, 3, "the first and two ahead");
    // Positions 1 to 11 lie in segments 0 to 2.
    bench.store.append(&request([noted_many("note-a", Any, 1, 7)])).await.unwrap();
    bench.append("note-b", Any, 1).await;
    bench.store.append(&request([noted_many("note-a", Any, 8, 3)])).await.unwrap();
    assert_eq!(number(&mut session, SEGMENTS).await, 3);
    let stream = bench.stream("note-a").await;
    let expected: Vec<_> = (1..=10).map(|n: u64| (n, n.to_string())).collect();
    assert_eq!(stream, expected);
    let page = bench.store.read_stream(&crate::support::name("note-a"), 5, 3).await.unwrap();
    assert_eq!(page.events.iter().map(|e| e.version).collect::<Vec<_>>(), [6, 7, 8]);
    assert_eq!(bench.all().await.len(), 11);
}

#[tokio::test]
async fn an_append_makes_the_segment_that_it_lacks() {
    let (bench, mut session) = bench().await;
    // Nobody makes segments ahead; thirty events need eight of them.
    for n in 1..=30 {
        bench.append("note-a", Any, n).await;
    }
    let stream = bench.stream("note-a").await;
    assert_eq!(stream.len(), 30);
    assert!(number(&mut session, SEGMENTS).await >= 8);
    assert_eq!(bench.all().await.len(), 30);
}

#[tokio::test]
async fn an_append_in_a_transaction_that_lacks_a_segment_succeeds_the_second_time() {
    let (bench, mut session) = bench().await;
    run(&mut session, "select setval('foldlog.event_position', 11)").await;
    let mut tx = bench.begun().await;
    let late = request([noted("note-a", Any, 1)]);
    let error = failure(bench.store.append_in(&mut tx, &late).await);
    assert_eq!(error.kind(), ErrorKind::Retry, "{error}");
    run(&mut tx, "rollback; begin").await;
    bench.store.append_in(&mut tx, &late).await.unwrap();
    run(&mut tx, "commit").await;
    assert_eq!(bench.all().await, ["note-a@1"]);
}

#[tokio::test]
async fn segments_are_made_beside_an_open_append_and_an_open_read() {
    let (bench, mut session) = bench().await;
    let (mut writer, mut reader) = (bench.begun().await, bench.begun().await);
    bench.append_in(&mut writer, "note-open").await;
    run(&mut reader, "select count(*) from foldlog.event").await;
    run(&mut session, "select setval('foldlog.event_position', 5)").await;
    let mut maker = bench.session().await;
    assert_eq!(segment::ensure(&mut maker, 0).await.unwrap(), 1);
    assert_eq!(segment::ensure(&mut maker, 0).await.unwrap(), 0, "once");
    bench.append("note-a", Any, 1).await;
    run(&mut writer, "commit").await;
    assert_eq!(bench.all().await, ["note-open@1", "note-a@1"]);
}

#[tokio::test]
async fn making_segments_gives_up_rather_than_queue_appends() {
    let (bench, mut session) = bench().await;
    run(&mut session, "select setval('foldlog.event_position', 5)").await;
    let mut locker = bench.begun().await;
    // As an analyze of the table does; appends go on beside it.
    run(&mut locker, "lock table foldlog.event in share update exclusive mode").await;
    let mut maker = bench.session().await;
    let making = tokio::spawn(async move { segment::ensure(&mut maker, 0).await });
    bench.waiting(1).await;
    bench.append("note-a", Any, 1).await;
    let error = making.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy, "{error}");
    run(&mut locker, "rollback").await;
    assert_eq!(segment::ensure(&mut session, 0).await.unwrap(), 1);
}

#[tokio::test]
async fn many_makers_at_once_make_each_segment_once() {
    let (bench, mut session) = bench().await;
    run(&mut session, "select setval('foldlog.event_position', 100)").await;
    let makers = (0..6).map(|_| async {
        let mut maker = bench.session().await;
        segment::ensure(&mut maker, 0).await.unwrap()
    });
    let made: i32 = futures_util::future::join_all(makers).await.into_iter().sum();
    assert_eq!(made, 3);
    bench.append("note-a", Any, 1).await;
    assert_eq!(bench.all().await, ["note-a@1"]);
}

/// The one that waited asked the catalog's cache before, and must not believe it after.
#[tokio::test]
async fn a_maker_that_waited_for_another_makes_nothing_twice() {
    let (bench, mut first) = bench().await;
    let ensure = "select foldlog.segment_ensure_1(0)";
    run(&mut first, "select setval('foldlog.event_position', 11)").await;
    let mut second = bench.session().await;
    // A first try that came to nothing, as one does whose lock was not to be had: it has planned
    // everything, so the next one opens no table between its wait and its look.
    run(&mut second, "begin").await;
    run(&mut second, ensure).await;
    run(&mut second, "rollback").await;
    run(&mut first, "begin").await;
    run(&mut first, ensure).await;
    let waiting = tokio::spawn(async move {
        number(&mut second, "select foldlog.segment_ensure_1(0)::bigint").await
    });
    bench.waiting(1).await;
    run(&mut first, "commit").await;
    assert_eq!(waiting.await.unwrap(), 0, "everything was made while it waited");
    assert_eq!(number(&mut first, SEGMENTS).await, 5);
}

/// Runs an append in transactions at repeatable read until one commits it.
async fn append_at_repeatable_read(bench: &Bench, session: &mut PgConnection, stream: &str) -> u32 {
    for attempt in 1..=4 {
        run(session, "begin isolation level repeatable read; select 1 from foldlog.stream").await;
        match bench.store.append_in(session, &request([noted(stream, Any, 9)])).await {
            Ok(_) => {
                run(session, "commit").await;
                return attempt;
            }
            Err(error) => {
                assert_eq!(failure(Err(error)).kind(), ErrorKind::Retry);
                run(session, "rollback").await;
            }
        }
    }
    panic!("it does not come to an end");
}

#[tokio::test]
async fn an_old_snapshot_takes_no_stream_into_a_new_segment_before_its_end_is_known() {
    let (bench, mut session) = bench().await;
    bench.append("note-a", Any, 1).await;
    bench.append("note-a", Any, 2).await;
    run(&mut session, "begin isolation level repeatable read; select 1 from foldlog.stream").await;
    // Position 3, which the snapshot does not show, in a segment that the row already names. The next
    // one is in another, whose index of versions knows nothing of it.
    bench.append("note-a", Any, 3).await;
    let late = bench.store.append_in(&mut session, &request([noted("note-a", Any, 4)])).await;
    assert_eq!(failure(late).kind(), ErrorKind::Retry);
    run(&mut session, "rollback").await;
    assert!(append_at_repeatable_read(&bench, &mut session, "note-a").await <= 3);
    assert_eq!(bench.stream("note-a").await.iter().map(|e| e.0).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!(bench.all().await.len(), 4);
}

#[tokio::test]
async fn at_repeatable_read_a_rival_in_the_same_segment_is_found_by_the_index_of_versions() {
    let bench = Bench::new().await;
    bench.append("note-a", Any, 1).await;
    let mut session = bench.session().await;
    run(&mut session, "begin isolation level repeatable read; select 1 from foldlog.stream").await;
    bench.append("note-a", Any, 2).await;
    let late = bench.store.append_in(&mut session, &request([noted("note-a", Any, 3)])).await;
    assert_eq!(failure(late).kind(), ErrorKind::Retry);
    run(&mut session, "rollback").await;
    assert_eq!(append_at_repeatable_read(&bench, &mut session, "note-a").await, 1);
    assert_eq!(bench.stream("note-a").await.iter().map(|e| e.0).collect::<Vec<_>>(), [1, 2, 3]);
}

#[tokio::test]
async fn the_row_of_a_stream_is_written_once_for_each_segment_that_it_enters() {
    let (bench, mut session) = bench().await;
    let written = "select known_position from foldlog.stream where name = 'note-a'";
    let mut rows = Vec::new();
    for n in 1..=9 {
        bench.append("note-a", Any, n).await;
        rows.push(number(&mut session, written).await);
    }
    // Segments begin at 4 and 8; before the first one it stands where the sequence stood.
    assert_eq!(rows, [0, 0, 0, 4, 4, 4, 4, 8, 8]);
    let mut update = bench.begun().await;
    run(&mut update, "select from foldlog.stream_touch_1('', '{note-a, note-missing}')").await;
    run(&mut update, "commit").await;
    assert_eq!(number(&mut session, written).await, 9);
    bench.append("note-a", Any, 10).await;
    assert_eq!(bench.stream("note-a").await.len(), 10);
}

#[tokio::test]
async fn who_waited_for_an_append_into_a_new_segment_goes_on_behind_it() {
    let (bench, _session) = bench().await;
    bench.append("note-a", Any, 1).await;
    bench.append("note-a", Any, 2).await;
    let mut first = bench.begun().await;
    // Positions 3 to 5: the row is written, for 4 begins a segment.
    bench.store.append_in(&mut first, &request([noted_many("note-a", Any, 3, 3)])).await.unwrap();
    let alone = bench.appending(request([noted("note-a", Any, 6)]));
    bench.waiting(1).await;
    let mut second = bench.begun().await;
    let exact = request([noted("note-a", Exact(5), 7)]);
    let waiting = async { bench.store.append_in(&mut second, &exact).await };
    let (later, ()) = tokio::join!(waiting, async {
        bench.waiting(2).await;
        run(&mut first, "commit").await;
    });
    // One of the two is the sixth; the other comes after it, or conflicts with it.
    run(&mut second, "commit").await;
    alone.await.unwrap().unwrap();
    let versions: Vec<_> = bench.stream("note-a").await.iter().map(|e| e.0).collect();
    assert_eq!(
        versions,
        if later.is_ok() { vec![1, 2, 3, 4, 5, 6, 7] } else { vec![1, 2, 3, 4, 5, 6] }
    );
    assert_eq!(bench.all().await.len(), versions.len());
}
