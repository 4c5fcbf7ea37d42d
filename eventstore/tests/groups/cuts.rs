//! Appends whose callers go away at each of their awaits: whole or absent, and the lines go on.

use foldlog_core::Expected::{Any, Exact, NoStream};
use foldlog_eventstore::{Request, StreamEvents};
use foldlog_testkit::{Cut, sweep};
use uuid::Uuid;

use super::{Grouped, one};
use crate::support::{event, name, noted_many, number, request, run};

impl Grouped {
    /// Cuts an append of two events to each of two streams among others that nobody cuts, and repeats
    /// it.
    async fn cut(&self, cut: Cut, request: &Request, neighbour: u64) -> bool {
        let beside = [
            self.appending(one("note-beside", Exact(neighbour), 1)),
            self.appending(one("note-p", Any, 1)),
        ];
        let before = self.stream("note-q").await.len();
        let first = cut.of(self.store.append(request)).await;
        for appending in beside {
            appending.await.unwrap().unwrap();
        }
        let again = self.store.append(request).await.unwrap();
        assert_eq!(again.streams[1].version, before as u64 + 2, "{cut:?}");
        assert_eq!(self.stream("note-q").await.len(), before + 2, "{cut:?}");
        let third = self.store.append(request).await.unwrap();
        assert!(third.repeated && third.token == again.token, "{cut:?}");
        // Whoever comes next finds the line free.
        self.append("note-next", Any, 1).await;
        let Some(first) = first else { return false };
        assert!(again.repeated && first.unwrap().token == again.token);
        true
    }

    /// No stream has a gap, and nothing was made twice.
    async fn whole(&self) {
        let sql = "select count(*) - count(distinct event_id) from foldlog.event";
        assert_eq!(number(&mut self.session().await, sql).await, 0);
        let sql = "select count(*) from (
            select stream_id from foldlog.event group by stream_id
            having max(version) <> count(*) or min(version) <> 1) gaps";
        assert_eq!(number(&mut self.session().await, sql).await, 0);
    }
}

fn two() -> Request {
    let parts = ["note-p", "note-q"].map(|stream| noted_many(stream, Any, 1, 2));
    request(parts).id(Uuid::now_v7())
}

#[tokio::test]
async fn a_dropped_append_is_whole_or_absent_and_holds_nobody_up() {
    let group = Grouped::new().await;
    let mut round = 0;
    sweep("EventStore::append, in a group", async |cut| {
        round += 1;
        group.cut(cut, &two(), round - 1).await
    })
    .await;
    group.whole().await;
}

#[tokio::test]
async fn a_dropped_append_whose_line_has_lost_its_session_is_whole_or_absent() {
    let group = Grouped::new().await;
    let mut round = 0;
    sweep("EventStore::append, in a group without a session", async |cut| {
        round += 1;
        group.end_sessions().await;
        group.cut(cut, &two(), round - 1).await
    })
    .await;
    group.whole().await;
}

#[tokio::test]
async fn a_dropped_append_of_a_new_type_is_whole_or_absent() {
    let group = Grouped::new().await;
    let mut round = 0;
    sweep("EventStore::append, in a group, of a new type", async |cut| {
        round += 1;
        let kind: &'static str = Box::leak(format!("New{}", Uuid::now_v7().simple()).into());
        let parts = ["note-p", "note-q"].map(|stream| {
            StreamEvents::raw(name(stream), Any, vec![event(kind, "1"), event("Noted", "2")])
        });
        group.cut(cut, &request(parts).id(Uuid::now_v7()), round - 1).await
    })
    .await;
    group.whole().await;
}

#[tokio::test]
async fn an_append_dropped_before_it_was_sent_is_never_made() {
    let group = Grouped::new().await;
    let mut holder = group.plugged().await;
    let gone: Vec<_> = (0..50).map(|n| group.appending(one("note-a", NoStream, n))).collect();
    let kept = group.appending(one("note-a", NoStream, 50));
    group.waiting(2).await;
    for appending in gone {
        appending.abort();
        assert!(appending.await.unwrap_err().is_cancelled());
    }
    run(&mut holder, "commit").await;
    assert_eq!(kept.await.unwrap().unwrap().streams[0].version, 1);
    assert_eq!(group.stream("note-a").await, [(1, "50".to_owned())]);
}
