//! Dropped reads: the next one answers as if nothing had been.

use foldlog_core::Expected::Any;
use foldlog_core::{Filter, Position, Source, StreamTail as _, Tenant};
use foldlog_eventstore::{Snapshot, SnapshotSchema};
use foldlog_pg::ReadAhead;
use foldlog_testkit::sweep;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::Narrow;
use crate::support::{Note, follow, label, name, noted, noted_many, number, request, run};

#[tokio::test]
async fn dropped_reads_of_streams_leave_the_pool_as_it_was() {
    let mut narrow = Narrow::new().await;
    narrow.store.append(&request([noted_many("note-a", Any, 1, 3)])).await.unwrap();
    let stream = name("note-a");
    sweep("EventStore::read_stream", async |cut| {
        narrow.begin_anew().await;
        let page = cut.of(narrow.store.read_stream(&stream, 0, 10)).await;
        narrow.nothing_left().await;
        assert_eq!(narrow.store.read_stream(&stream, 0, 10).await.unwrap().events.len(), 3);
        page.is_some()
    })
    .await;
    sweep("EventStore::read_stream_in", async |cut| {
        narrow.begin_anew().await;
        let mut tx = narrow.db.pool().begin().await.unwrap();
        let page = cut.of(narrow.store.read_stream_in(&mut tx, &stream, 0, 10)).await;
        // The transaction goes on behind a dropped read.
        assert_eq!(narrow.store.read_stream_in(&mut tx, &stream, 1, 10).await.unwrap().version, 3);
        tx.rollback().await.unwrap();
        narrow.nothing_left().await;
        page.is_some()
    })
    .await;
    let (state, schema) =
        (RawValue::NULL.to_owned(), SnapshotSchema { aggregate: "note", hash: &[7; 32] });
    let position = narrow.store.read_stream(&stream, 1, 1).await.unwrap().events[0].position();
    let snapshot = Snapshot { version: 2, position, state };
    sweep("EventStore::keep_snapshot", async |cut| {
        run(&mut narrow.outside, "delete from foldlog.snapshot").await;
        let kept = cut.of(narrow.store.keep_snapshot(&stream, schema, &snapshot)).await;
        narrow.nothing_left().await;
        let there = number(&mut narrow.outside, "select count(*) from foldlog.snapshot").await;
        assert!(there == 1 || (there == 0 && kept.is_none()), "{cut:?}");
        kept.is_some_and(Result::unwrap)
    })
    .await;
    sweep("EventStore::load_stream", async |cut| {
        narrow.begin_anew().await;
        let load = cut.of(narrow.store.load_stream(&stream, schema, u64::MAX, 1_000)).await;
        narrow.nothing_left().await;
        load.is_some_and(|load| load.unwrap().snapshot.is_some())
    })
    .await;
    sweep("EventStore::load_stream_in", async |cut| {
        narrow.begin_anew().await;
        let mut tx = narrow.db.pool().begin().await.unwrap();
        let load = cut.of(narrow.store.load_stream_in(&mut tx, &stream, schema, 3, 10)).await;
        assert_eq!(narrow.store.read_stream_in(&mut tx, &stream, 1, 10).await.unwrap().version, 3);
        tx.rollback().await.unwrap();
        narrow.nothing_left().await;
        load.is_some_and(|load| load.unwrap().page.events.len() == 1)
    })
    .await;
    sweep("StreamTail::tail", async |cut| {
        let tail = cut.of(narrow.store.tail(&stream, 1, Position::START, 10)).await;
        narrow.nothing_left().await;
        let again = narrow.store.tail(&stream, 1, Position::START, 10).await.unwrap();
        assert_eq!(again.len(), 2);
        tail.is_some()
    })
    .await;
}

#[tokio::test]
async fn dropped_reads_of_receipts_leave_the_pool_as_it_was() {
    let mut narrow = Narrow::new().await;
    let (tenant, id) = (Tenant::default(), Uuid::now_v7());
    narrow.store.append(&request([noted("note-a", Any, 1)]).id(id)).await.unwrap();
    sweep("EventStore::receipt", async |cut| {
        let receipt = cut.of(narrow.store.receipt(&tenant, id)).await;
        narrow.nothing_left().await;
        assert!(narrow.store.receipt(&tenant, id).await.unwrap().is_some());
        receipt.is_some()
    })
    .await;
    sweep("EventStore::receipt_in", async |cut| {
        let mut tx = narrow.db.pool().begin().await.unwrap();
        let receipt = cut.of(narrow.store.receipt_in(&mut tx, &tenant, id)).await;
        assert!(narrow.store.receipt_in(&mut tx, &tenant, id).await.unwrap().is_some());
        tx.commit().await.unwrap();
        narrow.nothing_left().await;
        receipt.is_some()
    })
    .await;
}

#[tokio::test]
async fn dropped_readers_close_their_sessions() {
    let mut narrow = Narrow::new().await;
    narrow.store.append(&request([noted_many("note-a", Any, 1, 30)])).await.unwrap();
    sweep("Source::reader", async |cut| {
        let reader = cut.of(narrow.store.reader()).await.map(Result::unwrap);
        let opened = reader.is_some();
        drop(reader);
        narrow.nothing_left().await;
        opened
    })
    .await;
    sweep("Reader::page", async |cut| {
        let mut reader = narrow.store.reader().await.unwrap();
        let page = cut.of(reader.page(&Filter::all(), Position::START, 10)).await;
        drop(reader);
        narrow.nothing_left().await;
        let mut reader = narrow.store.reader().await.unwrap();
        let all = follow(&mut *reader, &mut Position::START.clone()).await;
        assert_eq!(all.len(), 30);
        page.is_some()
    })
    .await;
}

#[tokio::test]
async fn dropped_waits_and_questions_keep_nothing() {
    let mut narrow = Narrow::new().await;
    sweep("Source::woken", async |cut| {
        let woken = narrow.store.woken();
        let store = narrow.store.clone();
        let append = tokio::spawn(async move {
            store.append(&request([noted("note-a", Any, 1)])).await.unwrap();
        });
        let woken = cut.of(woken).await;
        append.await.unwrap();
        narrow.nothing_left().await;
        woken.is_some()
    })
    .await;
    sweep("Source::blocker", async |cut| {
        let blocker = cut.of(narrow.store.blocker()).await;
        narrow.nothing_left().await;
        assert_eq!(narrow.store.blocker().await.unwrap(), None);
        blocker.is_some()
    })
    .await;
}

#[tokio::test]
async fn a_dropped_wait_for_the_next_events_loses_and_doubles_none() {
    let mut narrow = Narrow::new().await;
    narrow.audit = narrow.audit.beside("foldlog reader", 1);
    let mut subscription = narrow.store.subscribe(Filter::all());
    let (mut asked, mut delivered) = (0, Vec::new());
    sweep("Subscription::next", async |cut| {
        asked += 1;
        // While it waits, so that it is woken; now and then before.
        let store = narrow.store.clone();
        let append = tokio::spawn(async move {
            store.append(&request([noted("note-a", Any, asked)])).await.unwrap();
        });
        let page = cut.of(subscription.next()).await;
        append.await.unwrap();
        narrow.nothing_left().await;
        let next = page.is_some();
        delivered.extend(page.into_iter().flat_map(|page| page.unwrap().events));
        while delivered.len() < asked as usize {
            delivered.extend(subscription.next().await.unwrap().events);
        }
        next
    })
    .await;
    let expected: Vec<_> = (1..=asked).map(|n| format!("note-a@{n}")).collect();
    assert_eq!(delivered.iter().map(label).collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn a_dropped_wait_for_the_next_typed_events_loses_and_doubles_none() {
    let mut narrow = Narrow::new().await;
    narrow.audit = narrow.audit.beside("foldlog reader", 1);
    let mut subscription = narrow.store.subscribe_to::<Note>().unwrap();
    let (mut asked, mut delivered) = (0, Vec::new());
    sweep("Subscription::next_typed", async |cut| {
        asked += 1;
        narrow.store.append(&request([noted("note-a", Any, asked)])).await.unwrap();
        let events = cut.of(subscription.next_typed::<Note>()).await;
        narrow.nothing_left().await;
        let next = events.is_some();
        delivered.extend(events.into_iter().flat_map(Result::unwrap));
        while delivered.len() < asked as usize {
            delivered.extend(subscription.next_typed::<Note>().await.unwrap());
        }
        next
    })
    .await;
    let delivered: Vec<_> = delivered.into_iter().map(|event| event.event).collect();
    assert_eq!(delivered, (1..=asked).map(Note::Noted).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_dropped_wait_for_a_page_read_ahead_loses_and_doubles_none() {
    let mut narrow = Narrow::new().await;
    narrow.audit = narrow.audit.beside("foldlog reader", 1);
    let reader = narrow.store.reader().await.unwrap();
    let mut ahead = ReadAhead::new(reader, Filter::all(), Position::START, 2);
    let (mut asked, mut delivered) = (0, Vec::new());
    sweep("ReadAhead::page", async |cut| {
        asked += 5;
        narrow.store.append(&request([noted_many("note-a", Any, asked - 4, 5)])).await.unwrap();
        let page = cut.of(ahead.page()).await;
        let next = page.is_some();
        delivered.extend(page.into_iter().flat_map(|page| page.unwrap().events));
        loop {
            let page = ahead.page().await.unwrap();
            delivered.extend(page.events);
            if !page.more {
                break;
            }
        }
        narrow.nothing_left().await;
        next
    })
    .await;
    let expected: Vec<_> = (1..=asked).map(|n| format!("note-a@{n}")).collect();
    assert_eq!(delivered.iter().map(label).collect::<Vec<_>>(), expected);
}
