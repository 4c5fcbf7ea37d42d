//! Marks: what writers and readers of an archived, truncated or tombstoned stream are told.

mod races;
mod truncation;

use foldlog_core::Expected::{Any, Exact, Exists, NoStream};
use foldlog_core::{Error, ErrorKind, StreamName, Tenant};
use foldlog_eventstore::{AppendError, Mark, MarkKind, Request, StreamState};
use uuid::Uuid;

use crate::support::{
    Bench, conflict, failure, name, noted, noted_many, number, refused, request, run,
};

/// What kind of error it is, and the reason of the mark that it is about.
fn told(error: &Error) -> (ErrorKind, String) {
    (error.kind(), Mark::of(error).map(|mark| mark.reason.clone()).unwrap_or_default())
}

async fn refusal(bench: &Bench, request: &Request) -> (ErrorKind, String) {
    told(&failure(bench.store.append(request).await))
}

#[tokio::test]
async fn an_archived_stream_is_read_and_refuses_appends_until_it_is_unarchived() {
    let bench = Bench::new().await;
    bench.store.append(&request([noted_many("note-a", Any, 1, 3)])).await.unwrap();
    let stream = name("note-a");
    assert!(bench.store.archive(&stream, "moved away").await.unwrap());
    assert!(!bench.store.archive(&stream, "moved again").await.unwrap(), "it was so before");
    for expected in [Any, Exists, Exact(3), Exact(2), NoStream] {
        let told = refusal(&bench, &request([noted("note-a", expected, 4)])).await;
        assert_eq!(told, (ErrorKind::Archived, "moved away".to_owned()), "{expected}");
    }
    let error = failure(bench.store.append(&request([noted("note-a", Any, 4)])).await);
    let text = error.to_string();
    assert!(text.contains("note-a") && text.contains("unarchive it"), "{text}");
    // Read in every way, and in the settled order.
    assert_eq!(bench.stream("note-a").await.len(), 3);
    assert_eq!(bench.store.read_stream_back(&stream, u64::MAX, 2).await.unwrap().events.len(), 2);
    assert_eq!(bench.all().await, ["note-a@1", "note-a@2", "note-a@3"]);
    let info = bench.store.stream_info(&stream).await.unwrap().unwrap();
    assert_eq!((info.state, info.version, info.first_version), (StreamState::Archived, 3, 1));
    assert_eq!(info.mark.unwrap().reason, "moved away");

    assert!(bench.store.unarchive(&stream, "came back").await.unwrap());
    bench.append("note-a", Exact(3), 4).await;
    let marks = bench.store.marks(&stream).await.unwrap();
    let marks: Vec<_> = marks.iter().map(|m| (m.kind.clone(), m.reason.as_str())).collect();
    let expected = [(MarkKind::Archived, "moved away"), (MarkKind::Unarchived, "came back")];
    assert_eq!(marks, expected, "what changed nothing leaves no mark");
}

#[tokio::test]
async fn a_tombstoned_stream_says_when_and_why_and_its_name_is_not_given_anew() {
    let bench = Bench::new().await;
    let before = std::time::SystemTime::now() - std::time::Duration::from_secs(60);
    bench.store.append(&request([noted_many("note-a", Any, 1, 3)])).await.unwrap();
    let stream = name("note-a");
    assert!(bench.store.tombstone(&stream, "asked to be forgotten").await.unwrap());
    assert!(!bench.store.tombstone(&stream, "again").await.unwrap());
    let told_why = (ErrorKind::Tombstoned, "asked to be forgotten".to_owned());
    for expected in [Any, Exists, Exact(3), Exact(0), NoStream] {
        assert_eq!(refusal(&bench, &request([noted("note-a", expected, 4)])).await, told_why);
    }
    let store = &bench.store;
    let mut tx = bench.begun().await;
    let errors = [
        store.read_stream(&stream, 0, 1_000).await.unwrap_err(),
        store.read_stream(&stream, 3, 10).await.unwrap_err(),
        store.read_stream_in(&mut tx, &stream, 0, 10).await.unwrap_err(),
        store.read_stream_back(&stream, u64::MAX, 10).await.unwrap_err(),
        store.stream_events(&stream, 0).next().await.unwrap().unwrap_err(),
        store.stream_events_back(&stream, 2).next().await.unwrap().unwrap_err(),
        store.since(&stream, 1).await.unwrap_err(),
    ];
    for error in &errors {
        assert_eq!(told(error), told_why, "{error}");
        let mark = Mark::of(error).unwrap();
        assert!(mark.at > before && !mark.by.is_empty() && mark.kind == MarkKind::Tombstoned);
    }
    for marking in [
        store.archive(&stream, "x"),
        store.unarchive(&stream, "x"),
        store.truncate_before(&stream, 2, "x"),
    ] {
        assert_eq!(told(&failed(marking.await)), told_why);
    }
    assert_eq!(bench.all().await.len(), 3, "the settled order knows no marks");
    let info = store.stream_info(&stream).await.unwrap().unwrap();
    assert_eq!((info.state, info.version), (StreamState::Tombstoned, 3));
    let deleted = refused(&mut bench.session().await, "delete from foldlog.stream").await;
    assert_eq!(deleted, "FL020");
}

/// The store's error in a mark that was refused.
fn failed(result: Result<bool, AppendError>) -> Error {
    match result {
        Err(AppendError::Store(error)) => error,
        other => panic!("no error of the store: {other:?}"),
    }
}

#[tokio::test]
async fn an_append_over_several_streams_is_refused_whole_where_one_is_closed() {
    let bench = Bench::new().await;
    for stream in ["note-a", "note-b", "note-c"] {
        bench.append(stream, Any, 1).await;
    }
    bench.store.archive(&name("note-b"), "closed").await.unwrap();
    let three = ["note-a", "note-b", "note-c"].map(|stream| noted(stream, Any, 2));
    let error = failure(bench.store.append(&request(three)).await);
    assert_eq!(error.kind(), ErrorKind::Archived);
    assert!(error.to_string().contains("note-b"), "{error}");
    assert_eq!(bench.all().await.len(), 3);
}

#[tokio::test]
async fn a_repeat_is_answered_as_the_first_time_whatever_has_become_of_its_stream() {
    let bench = Bench::new().await;
    let exact = request([noted("note-a", NoStream, 1)]);
    let id = Uuid::now_v7();
    let receipted = request([noted("note-a", Any, 2)]).id(id);
    let (first, second) =
        (bench.store.append(&exact).await.unwrap(), bench.store.append(&receipted).await.unwrap());
    let stream = name("note-a");
    for mark in ["archive", "truncate", "tombstone"] {
        match mark {
            "archive" => bench.store.archive(&stream, mark).await,
            "truncate" => bench.store.truncate_before(&stream, 2, mark).await,
            _ => bench.store.tombstone(&stream, mark).await,
        }
        .unwrap();
        for (request, answer) in [(&exact, &first), (&receipted, &second)] {
            let again = bench.store.append(request).await.unwrap();
            assert!(again.repeated, "{mark}");
            assert_eq!((again.token, again.streams[0].version), {
                (answer.token, answer.streams[0].version)
            });
        }
        // The same id for other content is still that.
        let other = request([noted("note-a", Any, 9)]).id(id);
        assert_eq!(refusal(&bench, &other).await.0, ErrorKind::IdReused, "{mark}");
    }
}

#[tokio::test]
async fn a_list_leaves_closed_streams_out_unless_they_are_asked_for() {
    let bench = Bench::new().await;
    for key in ["a", "b", "c", "d"] {
        bench
            .store
            .append(&request([noted_many(&format!("note-{key}"), Any, 1, 3)]))
            .await
            .unwrap();
    }
    bench.store.archive(&name("note-b"), "x").await.unwrap();
    bench.store.tombstone(&name("note-c"), "x").await.unwrap();
    bench.store.truncate_before(&name("note-d"), 3, "x").await.unwrap();
    let keys = async |list: foldlog_eventstore::StreamList| {
        let streams = list.page().await.unwrap().streams;
        streams.iter().map(|s| (s.name.key().to_owned(), s.first_version)).collect::<Vec<_>>()
    };
    let part = |key: &str, first| (key.to_owned(), first);
    assert_eq!(keys(bench.store.streams("note")).await, [part("a", 1), part("d", 3)]);
    let all = keys(bench.store.streams("note").closed_too()).await;
    assert_eq!(all, [part("a", 1), part("b", 1), part("c", 1), part("d", 3)]);
}

#[tokio::test]
async fn what_can_t_be_marked_is_refused_and_says_why() {
    let bench = Bench::new().await;
    bench.append("note-a", Any, 1).await;
    let stream = name("note-a");
    let store = &bench.store;
    // A row without events, as a refused append leaves it.
    let parts = [noted("note-tried", NoStream, 1), noted("note-a", Exact(9), 1)];
    conflict(store.append(&request(parts)).await);
    let long = "x".repeat(1_001);
    let other = StreamName::parse(&Tenant::new("other").unwrap(), "note-a").unwrap();
    for marking in [
        store.archive(&stream, ""),
        store.archive(&stream, " \n"),
        store.archive(&stream, "a\0b"),
        store.tombstone(&stream, &long),
        store.archive(&name("note-missing"), "x"),
        store.tombstone(&name("note-tried"), "x"),
        store.archive(&other, "tenants are apart"),
        store.truncate_before(&stream, 2, "x"),
        store.truncate_before(&stream, 0, "x"),
        store.truncate_before(&stream, u64::MAX, "x"),
    ] {
        let what = format!("{marking:?}");
        assert_eq!(failed(marking.await).kind(), ErrorKind::Invalid, "{what}");
    }
    let late = store.tombstone(&stream, "x").expect_version(7).await;
    assert!(matches!(late, Err(AppendError::Conflict { actual: 1, .. })), "{late:?}");
    let mut old = bench.session().await;
    run(&mut old, "begin isolation level repeatable read").await;
    let error = failed(store.archive(&stream, "x").within(&mut old).await);
    assert_eq!(error.kind(), ErrorKind::Setup, "{error}");
    let marks = "select count(*) from foldlog.stream_mark";
    assert_eq!(number(&mut bench.session().await, marks).await, 0);
}

#[tokio::test]
async fn a_mark_in_a_transaction_counts_when_it_commits() {
    let bench = Bench::new().await;
    bench.append("note-a", Any, 1).await;
    let stream = name("note-a");
    let mut tx = bench.begun().await;
    assert!(bench.store.tombstone(&stream, "x").within(&mut tx).await.unwrap());
    assert_eq!(bench.stream("note-a").await.len(), 1, "not yet");
    run(&mut tx, "rollback").await;
    bench.append("note-a", Exact(1), 2).await;
    run(&mut tx, "begin").await;
    assert!(bench.store.archive(&stream, "x").within(&mut tx).await.unwrap());
    let own = bench.store.append_in(&mut tx, &request([noted("note-a", Any, 3)])).await;
    assert_eq!(failure(own).kind(), ErrorKind::Archived, "and leaves the transaction usable");
    run(&mut tx, "commit").await;
    assert_eq!(refusal(&bench, &request([noted("note-a", Any, 3)])).await.0, ErrorKind::Archived);
}

#[tokio::test]
async fn a_mark_of_a_newer_program_closes_a_stream_to_appends() {
    let bench = Bench::new().await;
    bench.append("note-a", Any, 1).await;
    run(&mut bench.session().await, "update foldlog.stream set state = 7").await;
    let error = failure(bench.store.append(&request([noted("note-a", Exact(1), 2)])).await);
    assert_eq!(error.kind(), ErrorKind::Setup, "{error}");
    assert_eq!(bench.stream("note-a").await.len(), 1);
}
