//! Imported events within boundaries.

use foldlog_core::{ErrorKind, Expected, Position, Query, Tag, Tenant};
use foldlog_eventstore::{AppendError, Condition, HistoricalEvent, ImportError, StreamEvents};

use super::past;
use crate::support::{Bench, Note, database_of_width, event, name, number, request, run};

fn seat(n: u64) -> Tag {
    Tag::new("seat", &n.to_string()).unwrap()
}

async fn read(bench: &Bench, tag: &Tag) -> (Vec<u64>, Condition) {
    let mut positions = Vec::new();
    let take = |raw: &foldlog_core::RawEvent, _: &[usize]| {
        positions.push(raw.position().get());
        Ok(())
    };
    let query = Query::of::<Note>().tagged(tag);
    let tenant = Tenant::default();
    let read = bench.store.read_matching(&tenant, &query, Position::START, take);
    let condition = read.await.unwrap();
    (positions, condition)
}

#[tokio::test]
async fn imported_events_are_found_by_their_tags_and_stand_against_conditions() {
    let bench = Bench::new().await;
    let (none, before) = read(&bench, &seat(1)).await;
    assert!(none.is_empty());
    let events = [
        past("note-1", 1).tags([seat(1), seat(2), seat(1)]),
        past("note-1", 2),
        past("note-2", 1).tags([seat(1)]),
    ];
    let import = || bench.store.import("seats");
    import().run_iter(events.clone()).await.unwrap();
    assert_eq!(read(&bench, &seat(1)).await.0, [1, 3]);
    assert_eq!(read(&bench, &seat(2)).await.0, [1]);
    let next = StreamEvents::raw(name("note-3"), Expected::Any, vec![event("Noted", "1")]);
    let on_it = request([next]).condition(before).unwrap();
    let error = bench.store.append(&on_it).await.unwrap_err();
    assert!(matches!(error, AppendError::ConditionFailed { position } if position.get() == 1));
    // Tags belong to what was begun with.
    let mut other = events;
    other[1] = past("note-1", 2).tags([seat(7)]);
    let error = import().run_iter(other).await.unwrap_err();
    assert!(matches!(error, ImportError::Differs { .. }), "{error}");
}

#[tokio::test]
async fn an_import_waits_for_who_decides_on_its_tags() {
    let bench = Bench::new().await;
    let (_, before) = read(&bench, &seat(1)).await;
    let mut deciding = bench.begun().await;
    let mut tagged = event("Noted", "1");
    tagged.tags = vec![seat(1)];
    let next = StreamEvents::raw(name("note-3"), Expected::Any, vec![tagged]);
    let on_it = request([next]).condition(before).unwrap();
    bench.store.append_in(&mut deciding, &on_it).await.unwrap();
    let store = bench.store.clone();
    let import = tokio::spawn(async move {
        store.import("seats").run_iter([past("note-1", 1).tags([seat(1)])]).await
    });
    bench.waiting(1).await;
    run(&mut deciding, "commit").await;
    import.await.unwrap().unwrap();
    assert_eq!(bench.all().await, ["note-3@1", "note-1@1"]);
    assert_eq!(read(&bench, &seat(1)).await.0.len(), 2);
}

#[tokio::test]
async fn an_import_waits_for_who_decides_on_all_events() {
    let bench = Bench::new().await;
    let take = |_: &foldlog_core::RawEvent, _: &[usize]| Ok(());
    let all = Query::of::<Note>();
    let tenant = Tenant::default();
    let read = bench.store.read_matching(&tenant, &all, Position::START, take);
    let before = read.await.unwrap();
    let mut deciding = bench.begun().await;
    let next = StreamEvents::raw(name("note-3"), Expected::Any, vec![event("Noted", "1")]);
    bench
        .store
        .append_in(&mut deciding, &request([next]).condition(before).unwrap())
        .await
        .unwrap();
    let store = bench.store.clone();
    let import = tokio::spawn(async move { store.import("x").run_iter([past("note-1", 1)]).await });
    bench.waiting(1).await;
    run(&mut deciding, "rollback").await;
    import.await.unwrap().unwrap();
    assert_eq!(bench.all().await, ["note-1@1"]);
}

#[tokio::test]
async fn an_import_never_slips_past_a_decision_that_stays_open() {
    let bench = Bench::new().await;
    let (_, before) = read(&bench, &seat(1)).await;
    let mut deciding = bench.begun().await;
    let next = StreamEvents::raw(name("note-3"), Expected::Any, vec![event("Noted", "1")]);
    let on_it = request([next]).condition(before).unwrap();
    bench.store.append_in(&mut deciding, &on_it).await.unwrap();
    let import = || bench.store.import("seats").run_iter([past("note-1", 1).tags([seat(1)])]);
    let error = import().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy, "{error}");
    assert!(error.to_string().starts_with("rows 1 to 1: "), "{error}");
    run(&mut deciding, "commit").await;
    assert_eq!(bench.all().await, ["note-3@1"]);
    import().await.unwrap();
    assert_eq!(bench.all().await, ["note-3@1", "note-1@1"]);
}

#[tokio::test]
async fn tags_go_through_segments_and_too_many_are_refused() {
    let bench = Bench::on(database_of_width(4).await).await;
    let events = (1..=30).map(|v| past("note-1", v).tags([seat(v % 3), seat(100 + v)]));
    bench.store.import("seats").run_iter(events).await.unwrap();
    assert_eq!(read(&bench, &seat(1)).await.0.len(), 10);
    let rows = "select count(*) from foldlog.event_tag";
    assert_eq!(number(&mut bench.session().await, rows).await, 60);
    let many: Vec<HistoricalEvent> = vec![past("note-2", 1).tags((0..65).map(seat))];
    let error = bench.store.import("many").run_iter(many).await.unwrap_err();
    assert!(error.to_string().contains("65 tags"), "{error}");
}
