//! Bulk import: a history comes in whole, once, and in its order, whatever happens on the way.

mod broken;
mod neighbours;
mod refusals;
mod tags;

use std::time::{Duration, SystemTime};

use foldlog_core::{Expected, Filter, Position, Source as _, Tenant};
use foldlog_eventstore::{HistoricalEvent, ImportProgress};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::support::{Bench, database_of_width, follow, label, name, noted, number, request, text};

/// A time of a history, so many seconds after its begin.
fn time(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000 + seconds)
}

fn json(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.to_owned()).unwrap()
}

/// An event of a stream whose payload is its version.
fn past(stream: &str, version: u64) -> HistoricalEvent {
    let payload = json(&version.to_string());
    HistoricalEvent::new(name(stream), version, "Noted", payload).recorded(time(version))
}

/// The history of so many streams, which take turns, and the labels of its events in order.
fn history(streams: u64, versions: u64) -> Vec<HistoricalEvent> {
    let turns = (1..=versions).flat_map(|v| (1..=streams).map(move |s| (s, v)));
    turns.map(|(s, v)| past(&format!("note-{s}"), v)).collect()
}

fn labels(streams: u64, versions: u64) -> Vec<String> {
    let turns = (1..=versions).flat_map(|v| (1..=streams).map(move |s| (s, v)));
    turns.map(|(s, v)| format!("note-{s}@{v}")).collect()
}

/// How many streams are not as their events say, or hold events without an import's time.
const WRONG: &str = "select count(*) from (
        select s.known_version, s.first_position, count(e.position) as events,
            coalesce(max(e.version), 0) as version, min(e.position) as lowest,
            bool_or(e.version > s.known_version and e.position / foldlog.event_segment_width()
                <> s.known_position / foldlog.event_segment_width()) as elsewhere
        from foldlog.stream s left join foldlog.event e on e.stream_id = s.id group by s.id
    ) c where c.events <> c.version or c.known_version > c.version or c.first_position > c.lowest
        or c.elsewhere";

impl Bench {
    async fn nothing_wrong(&self) {
        assert_eq!(number(&mut self.session().await, WRONG).await, 0, "streams fit their events");
    }
}

#[tokio::test]
async fn a_history_is_stored_as_it_was_and_in_its_order() {
    let bench = Bench::new().await;
    let given = Uuid::from_u128(7);
    let tenant = Tenant::new("acme").unwrap();
    let elsewhere = foldlog_core::StreamName::parse(&tenant, "note-a").unwrap();
    let metadata = r#"{"correlation_id":"c", "user" : {"who":"Ada"}}"#;
    let events = [
        past("note-a", 1).id(given).metadata(json(metadata)),
        HistoricalEvent::new(elsewhere.clone(), 1, "Closed", json("null")).schema_version(2),
        past("note-a", 2),
    ];
    let imported = bench.store.import("history").run_iter(events).await.unwrap();
    assert_eq!((imported.done, imported.imported, imported.skipped), (3, 3, 0));

    let page = bench.store.read_stream(&name("note-a"), 0, 10).await.unwrap();
    let [first, second] = &page.events[..] else { panic!("{page:?}") };
    assert_eq!((first.id, first.recorded), (given, time(1)));
    assert_eq!((first.metadata.as_ref().unwrap().get(), first.payload.get()), (metadata, "1"));
    assert_eq!((second.version, second.recorded), (2, time(2)));
    assert_eq!(imported.token, Some(second.token));
    let page = bench.store.read_stream(&elsewhere, 0, 10).await.unwrap();
    assert_eq!((&*page.events[0].kind, page.events[0].schema_version), ("Closed", 2));
    assert_ne!(page.events[0].id, second.id);
    let begun =
        "select count(*) from foldlog.event e join foldlog.import i on i.begun_at = e.recorded_at";
    assert_eq!(number(&mut bench.session().await, begun).await, 1, "where no time is given");
    assert_eq!(bench.all().await, ["note-a@1", "note-a@1", "note-a@2"]);
    bench.nothing_wrong().await;
    // Appends go on behind it.
    assert_eq!(bench.append("note-a", Expected::Exact(2), 3).await.streams[0].version, 3);
}

#[tokio::test]
async fn the_same_import_again_stores_nothing_and_a_longer_one_the_rest() {
    let bench = Bench::new().await;
    let import = || bench.store.import("history").batch_events(4);
    import().run_iter(history(3, 3)).await.unwrap();
    let before = bench.store.read_stream(&name("note-1"), 0, 10).await.unwrap().events;
    let again = import().run_iter(history(3, 3)).await.unwrap();
    assert_eq!((again.done, again.imported, again.skipped, again.token), (9, 0, 9, None));
    let more = bench.store.import("history").batch_events(7).run_iter(history(3, 5)).await.unwrap();
    assert_eq!((more.done, more.imported, more.skipped), (15, 6, 9));
    assert_eq!(bench.all().await, labels(3, 5));
    // Derived ids are the same each time, and no two are.
    let after = bench.store.read_stream(&name("note-1"), 0, 10).await.unwrap().events;
    assert_eq!(
        before.iter().map(|e| e.id).collect::<Vec<_>>(),
        after[..3].iter().map(|e| e.id).collect::<Vec<_>>()
    );
    let mut session = bench.session().await;
    assert_eq!(
        number(&mut session, "select count(distinct event_id) from foldlog.event").await,
        15
    );
    let finished = "select (finished_at >= batch_at)::text from foldlog.import";
    assert_eq!(text(&mut session, finished).await, "true");
}

#[tokio::test]
async fn streams_that_exist_go_on_where_they_end_and_progress_is_told() {
    let bench = Bench::new().await;
    bench.append("note-1", Expected::NoStream, 1).await;
    bench.append("note-1", Expected::Exact(1), 2).await;
    let mut told = Vec::new();
    let events = (3..=7).map(|v| past("note-1", v)).chain([past("note-2", 1)]);
    let import = bench.store.import("rest").batch_events(4);
    let tell = |progress: &ImportProgress| told.push((progress.done, progress.imported));
    import.on_progress(tell).run_iter(events).await.unwrap();
    assert_eq!(told, [(4, 4), (6, 6)]);
    let versions: Vec<_> = bench.stream("note-1").await.iter().map(|e| e.0).collect();
    assert_eq!(versions, [1, 2, 3, 4, 5, 6, 7]);
    bench.nothing_wrong().await;
}

#[tokio::test]
async fn an_import_goes_through_segments_that_were_not_made_ahead() {
    let bench = Bench::on(database_of_width(4).await).await;
    let import = bench.store.import("history").batch_events(1_000);
    let imported = import.run_iter(history(2, 20)).await.unwrap();
    assert_eq!(imported.done, 40);
    assert_eq!(bench.all().await, labels(2, 20));
    bench.nothing_wrong().await;
    for stream in ["note-1", "note-2"] {
        assert_eq!(bench.append(stream, Expected::Exact(20), 21).await.streams[0].version, 21);
    }
    bench.nothing_wrong().await;
}

#[tokio::test]
async fn an_empty_import_is_done_and_a_long_one_is_taken_in_batches() {
    let bench = Bench::new().await;
    let none = bench.store.import("none").run_iter([]).await.unwrap();
    assert_eq!((none.done, none.token), (0, None));
    let streams = (1..=2_500).map(|s| past(&format!("note-{s}"), 1));
    let mut batches = Vec::new();
    let tell = |progress: &ImportProgress| batches.push(progress.done);
    bench.store.import("wide").on_progress(tell).run_iter(streams).await.unwrap();
    assert_eq!(batches, [1_000, 2_000, 2_500], "the locks of new streams are bounded");
    bench.nothing_wrong().await;
}

#[tokio::test]
async fn a_reader_waits_for_an_open_batch_and_then_has_it_whole() {
    let bench = Bench::new().await;
    let mut reader = bench.store.reader().await.unwrap();
    let mut cursor = Position::START;
    // What a batch does up to its rows.
    let mut open = bench.begun().await;
    crate::support::run(&mut open, "select foldlog.import_open_1('by hand')").await;
    let batch = "select * from foldlog.import_batch_1('by hand', 0, '{\"\"}', '{note-1}', '{0}', \
                 '{}', '{}', '{}', '{}', 3)";
    crate::support::run(&mut open, batch).await;
    bench.store.append(&request([noted("note-2", Expected::Any, 1)])).await.unwrap();
    assert!(follow(&mut *reader, &mut cursor).await.is_empty(), "behind the bound");
    let page = reader.page(&Filter::all(), Position::START, 10).await.unwrap();
    assert_eq!(page.through, Position::START);
    crate::support::run(&mut open, "rollback").await;
    let seen = follow(&mut *reader, &mut cursor).await;
    assert_eq!(seen.iter().map(label).collect::<Vec<_>>(), ["note-2@1"]);
}

#[tokio::test]
async fn types_that_nobody_registered_are_registered_as_by_an_append() {
    let bench = Bench::new().await;
    bench.store.import("one").run_iter([past("note-1", 1)]).await.unwrap();
    bench.store.import("two").run_iter([past("other-1", 1)]).await.unwrap();
    let mut session = bench.session().await;
    let types =
        "select string_agg(distinct c.name || '.' || t.name, ' ' order by c.name || '.' || t.name)
        from foldlog.event_type t join foldlog.category c on c.id = t.category_id";
    assert_eq!(text(&mut session, types).await, "note.Closed note.Noted other.Noted");
    bench.append("other-1", Expected::Exact(1), 2).await;
}
