//! What another transaction holds: only those wait for it who need it.

use foldlog_core::ErrorKind;
use foldlog_core::Expected::{self, Any, Exact, NoStream};
use foldlog_eventstore::{AppendError, Request, StreamEvents};
use foldlog_testkit::wait_until;
use futures_util::future::join_all;
use sqlx::PgConnection;

use super::{Appending, Grouped, id, one};
use crate::support::{PATIENCE, conflict, failure, name, noted, pid, request, run};

/// Behind the held one by name: streams are locked in that order.
const FREE: &str = "note-z-free";

/// A group, and a stream without events: whoever waits for another stream does not hold the making of
/// this one.
async fn grouped() -> Grouped {
    let group = Grouped::new().await;
    let empty = StreamEvents::raw(name(FREE), Any, Vec::new());
    group.store.append(&request([empty])).await.unwrap();
    group
}

/// A transaction that holds the row of `note-held`, which has one event.
async fn holder(group: &Grouped) -> PgConnection {
    group.append("note-held", NoStream, 0).await;
    let mut holder = group.begun().await;
    run(&mut holder, "select from foldlog.stream where name = 'note-held' for no key update").await;
    holder
}

/// Of streams that nobody holds, in both lines, some of which share a call with the one that is held.
async fn others_finish(group: &Grouped, from: u32) {
    for round in 0..5 {
        let others = (0..20).map(|n| {
            let n = from + round * 20 + n;
            let parts = [noted(&format!("note-o{n}"), NoStream, n), noted(FREE, Any, n + 10_000)];
            group.appending(request(parts))
        });
        for other in join_all(others).await {
            other.unwrap().unwrap();
        }
    }
}

async fn end(holder: &mut PgConnection, how: &'static str, waiting: Vec<Appending>) {
    assert!(waiting.iter().all(|appending| !appending.is_finished()));
    run(holder, how).await;
    for appending in waiting {
        appending.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn who_needs_a_stream_that_is_held_waits_and_nobody_else() {
    let group = grouped().await;
    let mut holder = holder(&group).await;
    let held = ["note-held", FREE, "note-new"].map(|stream| noted(stream, Any, 1));
    let waiting = vec![
        group.appending(one("note-held", Exact(1), 2)),
        group.appending(one("note-held", Any, 3)),
        group.appending(one("note-held", Expected::Exists, 4)),
        group.appending(one("note-held", Exact(4), 5)),
    ];
    group.waiting(1).await;
    others_finish(&group, 100).await;
    let late = group.appending(request(held));
    others_finish(&group, 300).await;
    assert!(!late.is_finished());
    assert!(group.stream("note-new").await.is_empty(), "no part of it");
    end(&mut holder, "commit", waiting).await;
    assert_eq!(late.await.unwrap().unwrap().streams[0].version, 6);
    assert_eq!(group.stream(FREE).await.len(), 201);
    others_finish(&group, 500).await;
    group.append("note-held", Exact(6), 6).await;
}

#[tokio::test]
async fn a_free_stream_beside_a_held_one_in_a_request_is_held_from_nobody() {
    let group = grouped().await;
    let mut holder = holder(&group).await;
    let both = |n| request([noted(FREE, Any, n), noted("note-held", Any, n + 1)]);
    let waiting = vec![group.appending(both(1)), group.appending(both(3))];
    group.waiting(1).await;
    others_finish(&group, 100).await;
    group.append(FREE, Exact(100), 5).await;
    end(&mut holder, "rollback", waiting).await;
    assert_eq!(group.stream(FREE).await.len(), 103);
    assert_eq!(group.stream("note-held").await.len(), 3);
}

#[tokio::test]
async fn a_stream_that_another_is_about_to_make_is_waited_for_by_who_would_make_it() {
    let group = grouped().await;
    for (round, end) in [(1, "commit"), (2, "rollback")] {
        let stream = format!("note-made{round}");
        let mut tx = group.begun().await;
        group.append_in(&mut tx, &stream).await;
        // For everybody else it is not there yet.
        let early = group.store.append(&one(&stream, Exact(1), 1)).await;
        assert_eq!(conflict(early), (stream.clone(), Exact(1), 0));
        let first = group.appending(one(&stream, NoStream, 2));
        let second = group.appending(request([noted(FREE, Any, 3), noted(&stream, Any, 4)]));
        group.waiting(1).await;
        others_finish(&group, round * 1_000).await;
        assert!(!first.is_finished() && !second.is_finished());
        run(&mut tx, end).await;
        let second = second.await.unwrap().unwrap().streams[1].version;
        match first.await.unwrap() {
            Ok(first) => assert_eq!((first.streams[0].version, second), (1, 2)),
            late => {
                let (named, expected, actual) = conflict(late);
                assert_eq!((named, expected), (stream.clone(), NoStream));
                assert!((1..=2).contains(&actual), "{actual}");
            }
        }
        let made = group.stream(&stream).await.len();
        assert!(made == 2 || made == 1 && end == "rollback");
    }
}

#[tokio::test]
async fn an_id_that_another_holds_is_waited_for_and_judged_by_its_end() {
    let group = grouped().await;
    for (n, end) in [(1, "commit"), (2, "rollback")] {
        let stands = |stream: &str| one(stream, Any, n).id(id(n.into())).stands_for("the same");
        let mut tx = group.begun().await;
        group.store.append_in(&mut tx, &stands("note-first")).await.unwrap();
        let second = group.appending(stands(&format!("note-second{n}")));
        let other = one(&format!("note-third{n}"), Any, n).id(id(n.into())).stands_for("another");
        let third = group.appending(other);
        group.waiting(2).await;
        others_finish(&group, n * 1_000).await;
        assert!(!second.is_finished() && !third.is_finished());
        run(&mut tx, end).await;
        let (second, third) = (second.await.unwrap(), third.await.unwrap());
        if end == "commit" {
            assert!(second.unwrap().repeated);
            assert_eq!(failure(third).kind(), ErrorKind::IdReused);
        } else {
            // One of the two was first.
            match (second, third) {
                (Ok(done), Err(AppendError::Store(error)))
                | (Err(AppendError::Store(error)), Ok(done)) => {
                    assert!(!done.repeated);
                    assert_eq!(error.kind(), ErrorKind::IdReused);
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn after_the_limit_the_answer_names_the_stream_and_who_holds_it() {
    let group = grouped().await;
    let mut holder = holder(&group).await;
    let mut maker = group.begun().await;
    group.append_in(&mut maker, "note-made").await;
    let (holds, makes) = (pid(&mut holder).await, pid(&mut maker).await);
    let ask = |request: Request| group.appending(request);
    let late = [
        (ask(one("note-held", Exact(1), 1)), "note-held", holds),
        (ask(request([noted(FREE, Any, 2), noted("note-held", Any, 3)])), "note-held", holds),
        (ask(one("note-made", Any, 4)), "note-made", makes),
        (ask(request([noted(FREE, Any, 5), noted("note-made", NoStream, 6)])), "note-made", makes),
    ];
    group.waiting(2).await;
    others_finish(&group, 100).await;
    for (appending, stream, pid) in late {
        match appending.await.unwrap() {
            Err(AppendError::Busy { stream: named, pid: found }) => {
                assert_eq!((named.as_str(), found), (stream, Some(pid)));
            }
            other => panic!("{stream}: {other:?}"),
        }
    }
    // What is asked for later waits again, and the lines are as they were.
    others_finish(&group, 300).await;
    let again = group.appending(one("note-held", Exact(1), 7));
    group.waiting(1).await;
    run(&mut holder, "commit").await;
    assert_eq!(again.await.unwrap().unwrap().streams[0].version, 2);
    run(&mut maker, "rollback").await;
    assert_eq!(group.append("note-made", NoStream, 8).await.streams[0].version, 1);
    assert_eq!(group.stream(FREE).await.len(), 200, "no part of those that were late");
}

#[tokio::test]
async fn callers_that_are_gone_leave_the_second_lane_as_it_was() {
    let group = grouped().await;
    let mut holder = holder(&group).await;
    let gone: Vec<_> = (1..=20).map(|n| group.appending(one("note-held", Any, n))).collect();
    group.waiting(1).await;
    let behind: Vec<_> = (21..=40).map(|n| group.appending(one("note-held", Any, n))).collect();
    others_finish(&group, 100).await;
    for appending in gone.iter().chain(&behind) {
        appending.abort();
    }
    for appending in gone.into_iter().chain(behind) {
        assert!(appending.await.unwrap_err().is_cancelled());
    }
    run(&mut holder, "commit").await;
    // Those that were under way are there, or not; those behind them were never sent.
    group.append("note-held", Any, 41).await;
    let numbers = group.numbers().await;
    assert!((21..=40).all(|n| !numbers.contains_key(&n)), "{numbers:?}");
    wait_until(PATIENCE, async || group.appending(one(FREE, Any, 42)).await.unwrap().is_ok()).await;
}
