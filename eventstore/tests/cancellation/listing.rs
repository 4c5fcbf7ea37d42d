//! Dropped looks at what there is, and dropped takes of single events.

use foldlog_core::Expected::Any;
use foldlog_core::Filter;
use foldlog_testkit::sweep;

use super::Narrow;
use crate::support::{Note, name, noted_many, request};

#[tokio::test]
async fn dropped_reads_backward_leave_the_pool_as_it_was() {
    let mut narrow = Narrow::new().await;
    narrow.store.append(&request([noted_many("note-a", Any, 1, 3)])).await.unwrap();
    let stream = name("note-a");
    sweep("EventStore::read_stream_back", async |cut| {
        narrow.begin_anew().await;
        let page = cut.of(narrow.store.read_stream_back(&stream, u64::MAX, 10)).await;
        narrow.nothing_left().await;
        let again = narrow.store.read_stream_back(&stream, u64::MAX, 10).await.unwrap();
        assert_eq!(again.events.len(), 3);
        page.is_some()
    })
    .await;
    sweep("EventStore::read_stream_back_in", async |cut| {
        narrow.begin_anew().await;
        let mut tx = narrow.db.pool().begin().await.unwrap();
        let page = cut.of(narrow.store.read_stream_back_in(&mut tx, &stream, 3, 10)).await;
        // The transaction goes on behind a dropped read.
        let again = narrow.store.read_stream_back_in(&mut tx, &stream, 3, 10).await.unwrap();
        assert_eq!(again.events.len(), 2);
        tx.rollback().await.unwrap();
        narrow.nothing_left().await;
        page.is_some()
    })
    .await;
}

#[tokio::test]
async fn dropped_lists_leave_the_pool_as_it_was() {
    let mut narrow = Narrow::new().await;
    narrow.store.append(&request([noted_many("note-a", Any, 1, 3)])).await.unwrap();
    let stream = name("note-a");
    sweep("EventStore::stream_info", async |cut| {
        narrow.begin_anew().await;
        let info = cut.of(narrow.store.stream_info(&stream)).await;
        narrow.nothing_left().await;
        assert_eq!(narrow.store.stream_info(&stream).await.unwrap().unwrap().version, 3);
        info.is_some()
    })
    .await;
    sweep("StreamList::page", async |cut| {
        narrow.begin_anew().await;
        let page = cut.of(narrow.store.streams("note").page()).await;
        narrow.nothing_left().await;
        assert_eq!(narrow.store.streams("note").page().await.unwrap().streams.len(), 1);
        page.is_some()
    })
    .await;
    sweep("EventStore::categories", async |cut| {
        narrow.begin_anew().await;
        let categories = cut.of(narrow.store.categories()).await;
        narrow.nothing_left().await;
        assert_eq!(narrow.store.categories().await.unwrap().len(), 1);
        categories.is_some()
    })
    .await;
}

#[tokio::test]
async fn dropped_takes_of_events_lose_and_double_none() {
    let mut narrow = Narrow::new().await;
    narrow.audit = narrow.audit.beside("foldlog reader", 1);
    for n in 0..3 {
        narrow.store.append(&request([noted_many("note-a", Any, n * 700, 700)])).await.unwrap();
    }
    let stream = name("note-a");
    sweep("Events::next", async |cut| {
        let mut all = true;
        for mut events in [
            narrow.store.stream_events(&stream, 0),
            narrow.store.stream_events_back(&stream, u64::MAX),
            narrow.store.settled_events(Filter::all(), None).unwrap(),
        ] {
            let mut seen = Vec::new();
            loop {
                let next = match cut.of(events.next()).await {
                    Some(next) => next,
                    None => {
                        all = false;
                        events.next().await
                    }
                };
                let Some(event) = next else { break };
                seen.push(event.unwrap().version);
            }
            if seen.first() != Some(&1) {
                seen.reverse();
            }
            assert_eq!(seen, (1..=2_100).collect::<Vec<_>>());
        }
        narrow.nothing_left().await;
        all
    })
    .await;
}

#[tokio::test]
async fn dropped_events_break_off_what_is_being_fetched() {
    let mut narrow = Narrow::new().await;
    for n in 0..3 {
        narrow.store.append(&request([noted_many("note-a", Any, n * 700, 700)])).await.unwrap();
    }
    let stream = name("note-a");
    sweep("Events::next_page", async |cut| {
        let mut done = true;
        for mut events in [
            narrow.store.stream_events(&stream, 0),
            narrow.store.settled_events(Filter::all(), None).unwrap(),
        ] {
            // One page was taken, the next one is on its way.
            events.next().await.unwrap().unwrap();
            events.next_page().await.unwrap().unwrap();
            done &= cut.of(events.next_page()).await.is_some();
            drop(events);
            narrow.nothing_left().await;
        }
        done
    })
    .await;
    sweep("TypedEvents::next", async |cut| {
        let mut events = narrow.store.stream_events(&stream, 0).typed::<Note>();
        let first = cut.of(events.next()).await;
        let next = events.next().await.unwrap().unwrap();
        assert_eq!(next.version, if first.is_some() { 2 } else { 1 });
        drop(events);
        narrow.nothing_left().await;
        first.is_some()
    })
    .await;
}
