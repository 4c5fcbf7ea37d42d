//! Streams read backward, and pages that cost what is in them, however long the stream is.

use foldlog_core::Expected::{Any, NoStream};
use foldlog_core::{StreamName, Tenant};
use foldlog_eventstore::{EVENT_BYTES_MAX, StreamEvents};
use sqlx::PgConnection;

use crate::support::{
    Bench, database_of_width, event, name, noted, noted_many, number, request, run,
};

fn versions(page: &foldlog_eventstore::StreamPage) -> Vec<u64> {
    page.events.iter().map(|event| event.version).collect()
}

#[tokio::test]
async fn pages_read_backward_join_without_seam_across_segments() {
    let bench = Bench::on(database_of_width(4).await).await;
    for n in 0..5 {
        bench.store.append(&request([noted_many("note-a", Any, 1 + n * 3, 3)])).await.unwrap();
        bench.append("note-b", Any, n).await;
    }
    let all: Vec<u64> = (1..=15).rev().collect();
    for limit in [1, 3, 14, 15, 16, u32::MAX] {
        let (mut seen, mut before) = (Vec::new(), u64::MAX);
        loop {
            let page = bench.store.read_stream_back(&name("note-a"), before, limit).await.unwrap();
            assert_eq!(page.version, 15);
            seen.extend(versions(&page));
            let payloads = page.events.iter().map(|e| e.payload.get().to_owned());
            assert!(payloads.eq(page.events.iter().map(|e| e.version.to_string())));
            before = *seen.last().unwrap();
            if !page.more {
                break;
            }
        }
        assert_eq!(seen, all, "limit {limit}");
    }
    let page = async |stream: &str, before, limit| {
        bench.store.read_stream_back(&name(stream), before, limit).await.unwrap()
    };
    // From a version down, which is not in the page; below the first there is nothing.
    assert_eq!(versions(&page("note-a", 8, 3).await), [7, 6, 5]);
    assert_eq!(versions(&page("note-a", 16, 1).await), [15]);
    for (stream, before, version) in
        [("note-a", 1, 15), ("note-a", 0, 15), ("note-missing", u64::MAX, 0)]
    {
        let page = page(stream, before, 3).await;
        assert!(page.events.is_empty() && !page.more && page.version == version, "{stream}");
    }
    // Forward and backward agree on where the stream ends.
    let forward = bench.store.read_stream(&name("note-a"), 0, 99).await.unwrap();
    let back = page("note-a", 3, 1).await;
    assert_eq!((forward.version, forward.position), (back.version, back.position));
    let of_tenant = StreamName::parse(&Tenant::new("other").unwrap(), "note-a").unwrap();
    let none = bench.store.read_stream_back(&of_tenant, u64::MAX, 9).await.unwrap();
    assert_eq!(none.version, 0, "tenants are apart");
}

#[tokio::test]
async fn a_stream_whose_row_knows_nothing_but_an_append_that_was_refused_is_empty() {
    let bench = Bench::new().await;
    bench.append("note-a", NoStream, 1).await;
    // Both streams get a row, and the conflict of the second leaves the first one empty.
    let refused = request([noted("note-new", Any, 1), noted("note-a", NoStream, 1)]);
    bench.store.append(&refused).await.unwrap_err();
    let mut session = bench.session().await;
    let rows = "select count(*) from foldlog.stream where name = 'note-new'";
    assert_eq!(number(&mut session, rows).await, 1);
    let page = bench.store.read_stream_back(&name("note-new"), u64::MAX, 9).await.unwrap();
    assert!(page.events.is_empty() && !page.more && page.version == 0);
    let mut all = bench.store.stream_events(&name("note-new"), 0);
    assert!(all.next().await.is_none());
    assert!(bench.store.stream_info(&name("note-new")).await.unwrap().is_none());
    let streams = bench.store.streams("note").page().await.unwrap().streams;
    assert_eq!(streams.len(), 1, "nor is it listed: {streams:?}");
}

#[tokio::test]
async fn a_transaction_reads_back_what_it_appended_and_nobody_else_does() {
    let bench = Bench::new().await;
    bench.append("note-a", Any, 1).await;
    let mut tx = bench.begun().await;
    bench.append_in(&mut tx, "note-a").await;
    let own = bench.store.read_stream_back_in(&mut tx, &name("note-a"), u64::MAX, 9).await.unwrap();
    assert_eq!(versions(&own), [2, 1]);
    let others = bench.store.read_stream_back(&name("note-a"), u64::MAX, 9).await.unwrap();
    assert_eq!(versions(&others), [1]);
    run(&mut tx, "rollback").await;
}

#[tokio::test]
async fn a_page_ends_with_the_event_that_brings_it_to_four_mebibytes() {
    let bench = Bench::new().await;
    let largest = format!("\"{}\"", "x".repeat(EVENT_BYTES_MAX - 2));
    for _ in 0..2 {
        let events = (0..5).map(|_| event("Noted", &largest)).collect();
        let part = StreamEvents::raw(name("note-a"), Any, events);
        bench.store.append(&request([part])).await.unwrap();
    }
    let stream = name("note-a");
    let page = bench.store.read_stream(&stream, 0, 1_000).await.unwrap();
    assert_eq!((versions(&page), page.more), (vec![1, 2, 3, 4], true));
    let page = bench.store.read_stream(&stream, 8, 1_000).await.unwrap();
    assert_eq!((versions(&page), page.more), (vec![9, 10], false));
    let page = bench.store.read_stream_back(&stream, u64::MAX, 1_000).await.unwrap();
    assert_eq!((versions(&page), page.more), (vec![10, 9, 8, 7], true));
    let page = bench.store.read_stream_back(&stream, 5, 1_000).await.unwrap();
    assert_eq!((versions(&page), page.more), (vec![4, 3, 2, 1], false));
    // What a fresh read takes in has no such end: fewer events than asked for are all there are.
    let start = foldlog_core::Position::START;
    let tail =
        foldlog_core::StreamTail::tail(&bench.store, &stream, 0, start, 1_000).await.unwrap();
    assert_eq!(tail.len(), 10);
}

/// How many rows of events this transaction has got from indexes, and how many by reading whole tables.
async fn fetched(session: &mut PgConnection) -> i64 {
    let sql = "select (sum(coalesce(idx_tup_fetch, 0) + seq_tup_read))::bigint
        from pg_stat_xact_user_tables where relid in (
            select inhrelid from pg_inherits where inhparent = 'foldlog.event'::regclass)";
    number(session, sql).await
}

#[tokio::test]
async fn a_page_of_a_long_stream_reads_no_more_than_the_page() {
    let bench = Bench::on(database_of_width(8_192).await).await;
    let stream = name("note-long");
    for n in 0..15 {
        let part = noted_many("note-long", Any, n * 1_000, 1_000);
        bench.store.append(&request([part])).await.unwrap();
        bench.append(&format!("note-{n}"), Any, n).await;
    }
    for analyzed in [false, true] {
        if analyzed {
            run(&mut bench.session().await, "analyze foldlog.stream; analyze foldlog.event").await;
        }
        let mut tx = bench.begun().await;
        for (back, from) in [
            (true, u64::MAX),
            (true, 9_000),
            (true, 50),
            (false, 0),
            (false, 9_000),
            (false, 14_980),
        ] {
            let before = fetched(&mut tx).await;
            let page = if back {
                bench.store.read_stream_back_in(&mut tx, &stream, from, 10).await.unwrap()
            } else {
                bench.store.read_stream_in(&mut tx, &stream, from, 10).await.unwrap()
            };
            assert_eq!((page.events.len(), page.version), (10, 15_000));
            let fetched = fetched(&mut tx).await - before;
            // One look for the end, and one more in each segment; a plpgsql loop fetches ahead.
            assert!(fetched < 80, "{fetched} rows for {back} {from}, analyzed {analyzed}");
        }
        let before = fetched(&mut tx).await;
        let info = "select version from foldlog.stream_info_1('', 'note-long')";
        assert_eq!(number(&mut tx, info).await, 15_000);
        let list = "select max(version) from foldlog.list_streams_1('', 'note', '', '', 20, false)";
        assert_eq!(number(&mut tx, list).await, 15_000);
        let fetched = fetched(&mut tx).await - before;
        assert!(fetched < 200, "{fetched} rows for what is known of 16 streams");
        run(&mut tx, "rollback").await;
    }
}
