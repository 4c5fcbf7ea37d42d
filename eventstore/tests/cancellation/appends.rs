//! Dropped appends: there as a whole, or not at all.

use foldlog_core::Expected::{Any, NoStream};
use foldlog_core::Source as _;
use foldlog_eventstore::{Request, StreamEvents};
use foldlog_testkit::{Cut, sweep};
use uuid::Uuid;

use super::Narrow;
use crate::support::{PATIENCE, event, name, noted, noted_many, number, request, run};

impl Narrow {
    async fn version(&self, stream: &str) -> u64 {
        self.store.read_stream(&name(stream), 0, 1).await.unwrap().version
    }

    /// Cuts an append of so many events to each of two streams, looks at what became of it, and
    /// repeats it.
    async fn append_and_repeat(
        &mut self,
        cut: Cut,
        request: &Request,
        streams: [&str; 2],
        count: u64,
    ) -> bool {
        let before = self.version(streams[0]).await;
        assert_eq!(before, self.version(streams[1]).await);
        let first = cut.of(self.store.append(request)).await;
        self.nothing_left().await;
        let after = self.version(streams[0]).await;
        assert_eq!(after, self.version(streams[1]).await, "an append in part, at {cut:?}");
        assert!(after == before || after == before + count, "{before} to {after} at {cut:?}");
        let again = self.store.append(request).await.unwrap();
        assert_eq!(again.repeated, after != before, "{cut:?}");
        assert!(again.streams.iter().all(|stream| stream.version == before + count));
        assert_eq!(self.version(streams[0]).await, before + count, "twice, at {cut:?}");
        let Some(first) = first else { return false };
        let first = first.unwrap();
        assert!(!first.repeated && again.repeated);
        assert_eq!(first.token, again.token);
        true
    }
}

#[tokio::test]
async fn a_dropped_append_is_whole_or_absent_and_its_repetition_makes_it_one() {
    let mut narrow = Narrow::new().await;
    sweep("EventStore::append, by its id", async |cut| {
        let streams = ["note-a", "note-b"];
        let request = request(streams.map(|stream| noted_many(stream, Any, 1, 2)));
        narrow.append_and_repeat(cut, &request.id(Uuid::now_v7()), streams, 2).await
    })
    .await;
    let mut n = 0;
    sweep("EventStore::append, by the ids of its events", async |cut| {
        n += 1;
        let streams = [format!("note-{n}x"), format!("note-{n}y")];
        let streams = [streams[0].as_str(), streams[1].as_str()];
        let request = request(streams.map(|stream| noted_many(stream, NoStream, 1, 2)));
        narrow.append_and_repeat(cut, &request, streams, 2).await
    })
    .await;
}

#[tokio::test]
async fn a_dropped_append_on_a_new_connection_with_new_types_is_whole_or_absent() {
    let mut narrow = Narrow::new().await;
    sweep("EventStore::append, of a new type on a new connection", async |cut| {
        narrow.begin_anew().await;
        let kind: &'static str = Box::leak(format!("New{}", Uuid::now_v7().simple()).into());
        let streams = ["note-a", "note-b"];
        let request = request(streams.map(|stream| {
            StreamEvents::raw(name(stream), Any, vec![event(kind, "1"), event("Noted", "2")])
        }));
        narrow.append_and_repeat(cut, &request.id(Uuid::now_v7()), streams, 2).await
    })
    .await;
}

#[tokio::test]
async fn a_dropped_append_that_has_to_make_segments_is_whole_or_absent() {
    let mut narrow = Narrow::of_width(4).await;
    sweep("EventStore::append, beyond the last segment", async |cut| {
        let streams = ["note-a", "note-b"];
        let request = request(streams.map(|stream| noted_many(stream, Any, 1, 4)));
        narrow.append_and_repeat(cut, &request.id(Uuid::now_v7()), streams, 4).await
    })
    .await;
}

#[tokio::test]
async fn a_large_append_cut_while_it_is_sent_is_whole_or_absent() {
    let mut narrow = Narrow::new().await;
    let text: &'static str = Box::leak(format!("\"{}\"", "x".repeat(200_000)).into());
    sweep("EventStore::append, of 800 kB", async |cut| {
        let streams = ["note-a", "note-b"];
        let request = request(streams.map(|stream| {
            StreamEvents::raw(name(stream), Any, vec![event("Noted", text), event("Noted", text)])
        }));
        narrow.append_and_repeat(cut, &request.id(Uuid::now_v7()), streams, 2).await
    })
    .await;
}

#[tokio::test]
async fn an_append_dropped_in_the_users_transaction_leaves_it_to_be_rolled_back() {
    let mut narrow = Narrow::new().await;
    sweep("EventStore::append_in", async |cut| {
        let before = narrow.version("note-a").await;
        let mut tx = narrow.db.pool().begin().await.unwrap();
        let request = request(["note-a", "note-b"].map(|stream| noted(stream, Any, 1)));
        let request = request.id(Uuid::now_v7());
        let appended = cut.of(narrow.store.append_in(&mut tx, &request)).await;
        tx.rollback().await.unwrap();
        narrow.nothing_left().await;
        assert_eq!(narrow.version("note-a").await, before, "{cut:?}");
        let mut tx = narrow.db.pool().begin().await.unwrap();
        assert!(!narrow.store.append_in(&mut tx, &request).await.unwrap().repeated);
        tx.commit().await.unwrap();
        assert_eq!(narrow.version("note-b").await, before + 1, "{cut:?}");
        appended.is_some()
    })
    .await;
}

#[tokio::test]
async fn an_append_dropped_while_it_waits_for_a_stream_wedges_nobody() {
    let mut narrow = Narrow::new().await;
    let first = request([noted("note-a", Any, 1)]);
    narrow.store.append(&first).await.unwrap();
    let mut holder = narrow.database.db().session("test").await.unwrap();
    run(&mut holder, "begin; select from foldlog.stream for update").await;
    let late = request([noted("note-a", Any, 2)]).id(Uuid::now_v7());
    let waiting = "select count(*) from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'";
    tokio::select! {
        biased;
        appended = narrow.store.append(&late) => panic!("it did not wait: {appended:?}"),
        () = foldlog_testkit::wait_until(PATIENCE, async || {
            number(&mut narrow.outside, waiting).await == 1
        }) => {}
    }
    run(&mut holder, "rollback").await;
    narrow.nothing_left().await;
    narrow.store.append(&late).await.unwrap();
    assert_eq!(narrow.version("note-a").await, 2);
    assert!(narrow.store.blocker().await.unwrap().is_none());
}
