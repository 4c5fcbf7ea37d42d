//! What an import refuses, and what it says.

use foldlog_core::{ErrorKind, Expected};
use foldlog_eventstore::{EVENT_BYTES_MAX, HistoricalEvent, ImportError};

use super::{history, json, past, time};
use crate::support::{Bench, name, number, run};

async fn refused(bench: &Bench, events: Vec<HistoricalEvent>) -> ImportError {
    bench.store.import("bad").run_iter(events).await.unwrap_err()
}

#[tokio::test]
async fn versions_that_dont_continue_a_stream_are_named_with_row_and_remedy() {
    let bench = Bench::new().await;
    bench.append("note-9", Expected::Any, 1).await;
    let of = |versions: &[u64]| versions.iter().map(|v| past("note-1", *v)).collect::<Vec<_>>();
    let there = |versions: &[u64]| versions.iter().map(|v| past("note-9", *v)).collect::<Vec<_>>();
    for (events, row, version, end, stored, remedy) in [
        (of(&[1, 2, 4]), 3, 4, 2, false, "missing"),
        (of(&[1, 2, 2]), 3, 2, 2, false, "double"),
        (of(&[1, 3, 2]), 2, 3, 1, false, "missing"),
        (of(&[2, 3]), 1, 2, 0, true, "missing"),
        (there(&[1, 2]), 1, 1, 1, true, "leave out"),
        (there(&[3]), 1, 3, 1, true, "missing"),
    ] {
        let error = refused(&bench, events).await;
        let text = error.to_string();
        assert!(text.contains(remedy) && text.contains("note-"), "{text}");
        assert_eq!(error.kind(), ErrorKind::Invalid);
        match error {
            ImportError::OutOfStep { row: r, version: v, end: e, stored: s, .. } => {
                assert_eq!((r, v, e, s), (row, version, end, stored));
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(bench.all().await, ["note-9@1"], "nothing of them is stored");
}

#[tokio::test]
async fn what_could_not_be_read_back_is_refused_with_its_row() {
    let bench = Bench::new().await;
    let with = |payload: &str| {
        HistoricalEvent::new(name("note-1"), 2, "Noted", json(payload)).recorded(time(2))
    };
    let big = format!("\"{}\"", "x".repeat(EVENT_BYTES_MAX));
    let deep = format!("{}{}", "[".repeat(65), "]".repeat(65));
    let early = std::time::SystemTime::UNIX_EPOCH - std::time::Duration::from_secs(1);
    for (event, why) in [
        (with(&big), "the limit is"),
        (with(&deep), "64 deep"),
        (with(r#""a\u0000""#), "NUL"),
        (with("1e999"), "number"),
        (past("note-1", 2).metadata(json("[1]")), "metadata"),
        (past("note-1", 2).metadata(json(r#"{"correlation_id":7}"#)), "metadata"),
        (past("note-1", 2).schema_version(0), "counted from 1"),
        (past("note-1", 0), "counted from 1"),
        (HistoricalEvent::new(name("note-1"), 2, "", json("1")), "event type"),
        (past("note-1", 2).recorded(early), "before 1970"),
    ] {
        let error = refused(&bench, vec![past("note-1", 1), event]).await;
        let text = error.to_string();
        assert!(text.starts_with("row 2, event ") && text.contains("stream note-1"), "{text}");
        assert!(text.contains(why), "{text}");
        assert!(!text.contains("xxxx"), "no payload in {text}");
    }
    assert!(bench.all().await.is_empty());
}

#[tokio::test]
async fn a_failed_batch_keeps_those_before_it_and_the_mended_input_goes_on() {
    let bench = Bench::new().await;
    let import = || bench.store.import("history").batch_events(3);
    let mut events = history(2, 4);
    let _taken_out = events.remove(4);
    let error = import().run_iter(events).await.unwrap_err();
    assert!(matches!(error, ImportError::OutOfStep { row: 6, version: 4, end: 2, .. }), "{error}");
    assert_eq!(bench.all().await, super::labels(2, 4)[..3], "whole batches");
    import().run_iter(history(2, 4)).await.unwrap();
    assert_eq!(bench.all().await, super::labels(2, 4));
}

#[tokio::test]
async fn an_input_that_differs_from_the_one_begun_with_is_refused() {
    let bench = Bench::new().await;
    let import = || bench.store.import("history").batch_events(2);
    import().run_iter(history(2, 3)).await.unwrap();
    let changed = |at: usize, event: HistoricalEvent| {
        let mut events = history(2, 3);
        events[at] = event;
        events
    };
    let other =
        |payload| HistoricalEvent::new(name("note-1"), 1, "Noted", json(payload)).recorded(time(1));
    for (events, says) in [
        (history(2, 2), "ends after 4"),
        (history(3, 3), "in row 6 of this input stands event 2 of stream note-3"),
        (changed(5, past("note-2", 3).id(uuid::Uuid::nil())), "with another id"),
        (changed(0, other("2")), "differs from them in some event up to row 6"),
        (changed(0, past("note-1", 1).schema_version(2)), "differs"),
        (changed(0, past("note-1", 1).metadata(json("{}"))), "differs"),
    ] {
        let error = import().run_iter(events).await.unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, ImportError::Differs { done: 6, .. }), "{error:?}");
        assert!(text.contains(says) && text.contains("another name"), "{text}");
    }
    // A store that lost the events, or was restored to a time before them.
    let mut session = bench.session().await;
    run(&mut session, "set foldlog.unguarded = on").await;
    run(&mut session, "delete from foldlog.event where version = 3").await;
    let text = import().run_iter(history(2, 3)).await.unwrap_err().to_string();
    assert!(text.contains("not in the store any more"), "{text}");
    assert_eq!(number(&mut session, "select count(*) from foldlog.event").await, 4);
}

#[tokio::test]
async fn an_input_that_fails_is_named_with_its_row_and_its_cause() {
    let bench = Bench::new().await;
    let events = [Ok(past("note-1", 1)), Err(std::io::Error::other("the disk is gone"))];
    let error =
        bench.store.import("bad").run(futures_util::stream::iter(events)).await.unwrap_err();
    assert_eq!(error.to_string(), "row 2 could not be had from the input");
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(cause, "the disk is gone");
}

#[tokio::test]
async fn a_name_that_is_no_name_is_refused() {
    let bench = Bench::new().await;
    for name in [String::new(), "x".repeat(256), "a\0b".to_owned()] {
        let import = bench.store.import(name).run_iter([past("note-1", 1)]);
        assert_eq!(import.await.unwrap_err().kind(), ErrorKind::Invalid);
    }
    assert!(bench.all().await.is_empty());
}

#[tokio::test]
async fn a_stream_that_was_closed_takes_no_history() {
    let bench = Bench::new().await;
    bench.append("note-1", Expected::Any, 1).await;
    bench.store.archive(&name("note-1"), "the shop is shut").await.unwrap();
    let events = || [past("note-2", 1), past("note-1", 2)];
    let error = bench.store.import("rest").run_iter(events()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Archived);
    assert!(error.to_string().starts_with("row 2, event 2 of stream note-1"), "{error}");
    bench.store.unarchive(&name("note-1"), "it opens").await.unwrap();
    bench.store.import("rest").run_iter(events()).await.unwrap();
    assert_eq!(bench.all().await, ["note-1@1", "note-2@1", "note-1@2"]);
}
