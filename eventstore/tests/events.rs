//! Events one by one: nothing lost, doubled or read ahead of need.

use foldlog_core::Expected::Any;
use foldlog_core::{ErrorKind, Filter, RawEvent, SliceClass, StreamName, Tenant};
use foldlog_eventstore::{EVENT_BYTES_MAX, Events, StreamEvents};
use foldlog_testkit::wait_until;
use futures_util::{StreamExt, TryStreamExt};

use crate::support::{
    Bench, Note, PATIENCE, database_of_width, event, label, name, noted, noted_many, number,
    request, run,
};

async fn drain(mut events: Events) -> Vec<RawEvent> {
    let mut all = Vec::new();
    while let Some(event) = events.next().await {
        all.push(event.unwrap());
    }
    assert!(events.next().await.is_none(), "the end is the end");
    all
}

fn versions(events: &[RawEvent]) -> Vec<u64> {
    events.iter().map(|event| event.version).collect()
}

/// A stream of so many events, across segments, beside another.
async fn long(events: u32) -> Bench {
    let bench = Bench::on(database_of_width(512).await).await;
    for n in (0..events).step_by(500) {
        let part = noted_many("note-a", Any, n + 1, 500.min(events - n));
        bench.store.append(&request([part])).await.unwrap();
        bench.append("note-b", Any, n).await;
    }
    bench
}

#[tokio::test]
async fn a_stream_is_read_event_by_event_in_both_directions() {
    let bench = long(2_300).await;
    let stream = name("note-a");
    let up: Vec<u64> = (1..=2_300).collect();
    let down: Vec<u64> = (1..=2_300).rev().collect();
    assert_eq!(versions(&drain(bench.store.stream_events(&stream, 0)).await), up);
    assert_eq!(versions(&drain(bench.store.stream_events_back(&stream, u64::MAX)).await), down);
    assert_eq!(versions(&drain(bench.store.stream_events(&stream, 2_298)).await), [2_299, 2_300]);
    assert_eq!(versions(&drain(bench.store.stream_events_back(&stream, 3)).await), [2, 1]);
    for limit in [0, 1, 999, 1_000, 1_001, 2_000, 2_300, 9_999] {
        let expected = usize::try_from(limit.min(2_300)).unwrap();
        let events = drain(bench.store.stream_events(&stream, 0).limit(limit)).await;
        assert_eq!(versions(&events), up[..expected], "{limit}");
        let events = drain(bench.store.stream_events_back(&stream, u64::MAX).limit(limit)).await;
        assert_eq!(versions(&events), down[..expected], "{limit}");
    }
    for beyond in [2_300, u64::MAX] {
        assert!(drain(bench.store.stream_events(&stream, beyond)).await.is_empty());
    }
    let missing = [name("note-missing"), StreamName::parse(&tenant("other"), "note-a").unwrap()];
    for stream in missing {
        assert!(drain(bench.store.stream_events(&stream, 0)).await.is_empty());
        assert!(drain(bench.store.stream_events_back(&stream, u64::MAX)).await.is_empty());
    }
}

fn tenant(name: &str) -> Tenant {
    Tenant::new(name).unwrap()
}

#[tokio::test]
async fn a_stream_of_futures_and_pages_hold_the_same_events() {
    let bench = long(2_300).await;
    let stream = name("note-a");
    let all: Vec<_> = bench.store.stream_events(&stream, 0).try_collect().await.unwrap();
    assert_eq!(all.len(), 2_300);
    let mut events = bench.store.stream_events(&stream, 0);
    let mut paged = vec![StreamExt::next(&mut events).await.unwrap().unwrap()];
    while let Some(page) = events.next_page().await {
        let page = page.unwrap();
        assert!(!page.is_empty() && page.len() <= 1_000);
        paged.extend(page);
    }
    assert_eq!(versions(&paged), versions(&all));
    let typed: Vec<_> =
        bench.store.stream_events(&stream, 0).typed::<Note>().try_collect().await.unwrap();
    let numbers = typed.into_iter().map(|event| event.event);
    assert!(numbers.eq((1..=2_300).map(Note::Noted)));
}

#[tokio::test]
async fn settled_events_are_those_of_the_filter_up_to_what_is_settled() {
    let bench = long(2_300).await;
    bench.store.append(&request([noted("other-x", Any, 1)])).await.unwrap();
    let other = StreamEvents::raw(name("note-b"), Any, vec![event("Closed", "null")]);
    bench.store.append(&request([other])).await.unwrap();
    // What is open is not settled, nor is what came behind it.
    let mut tx = bench.begun().await;
    bench.append_in(&mut tx, "note-open").await;
    bench.append("note-late", Any, 1).await;
    let read =
        async |filter: Filter| drain(bench.store.settled_events(filter, None).unwrap()).await;
    let labels = |events: &[RawEvent]| events.iter().map(label).collect::<Vec<_>>();
    let all = read(Filter::all()).await;
    assert_eq!(all.len(), 2_300 + 5 + 2);
    assert!(all.windows(2).all(|pair| pair[0].position() < pair[1].position()));
    assert_eq!(labels(&read(Filter::all().categories(&["other"][..])).await), ["other-x@1"]);
    assert_eq!(labels(&read(Filter::all().kinds(&["Closed"][..])).await), ["note-b@6"]);
    let classes = SliceClass::all(4).map(|class| read(Filter::all().class(class)));
    let classes = futures_util::future::join_all(classes).await;
    assert_eq!(classes.iter().map(Vec::len).sum::<usize>(), all.len());
    for limit in [1, 1_000, 1_500] {
        let events = bench.store.settled_events(Filter::all(), Some(&all[9].token)).unwrap();
        let events = drain(events.limit(limit)).await;
        let end = 10 + usize::try_from(limit).unwrap();
        assert_eq!(labels(&events), labels(&all[10..end]));
    }
    run(&mut tx, "rollback").await;
    assert_eq!(read(Filter::all()).await.len(), all.len() + 1);
}

#[tokio::test]
async fn no_more_than_one_page_is_fetched_ahead_and_no_connection_held_between() {
    let bench = long(5_000).await;
    let mut session = bench.session().await;
    let mut events = bench.store.stream_events(&name("note-a"), 0);
    // Reading ahead is done when nothing is active; then the rest of the stream goes.
    let busy = "select count(*) from pg_stat_activity where datname = current_database()
        and state <> 'idle' and pid <> pg_backend_pid()";
    for _ in 0..501 {
        events.next().await.unwrap().unwrap();
    }
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    wait_until(PATIENCE, async || number(&mut session, busy).await == 0).await;
    assert_eq!(bench.store.db().own_pool().num_idle() as u32, bench.store.db().own_pool().size());
    run(
        &mut session,
        "set foldlog.unguarded = 'on';
        delete from foldlog.event e using foldlog.stream s
        where s.id = e.stream_id and s.name = 'note-a' and e.version > 2000",
    )
    .await;
    let mut last = 501;
    while let Some(event) = events.next().await {
        last = event.unwrap().version;
    }
    assert_eq!(last, 2_000, "two pages were there, the third was not");
}

#[tokio::test]
async fn large_events_make_small_pages_and_all_of_them_come() {
    let bench = Bench::new().await;
    let largest = format!("\"{}\"", "x".repeat(EVENT_BYTES_MAX - 2));
    for _ in 0..3 {
        let events = (0..5).map(|_| event("Noted", &largest)).collect();
        let part = StreamEvents::raw(name("note-a"), Any, events);
        bench.store.append(&request([part])).await.unwrap();
    }
    let stream = name("note-a");
    for mut events in [
        bench.store.stream_events(&stream, 0),
        bench.store.stream_events_back(&stream, u64::MAX),
        bench.store.settled_events(Filter::all(), None).unwrap(),
    ] {
        let mut pages = Vec::new();
        while let Some(page) = events.next_page().await {
            pages.push(page.unwrap().len());
        }
        assert_eq!(pages, [4, 4, 4, 3]);
    }
}

#[tokio::test]
async fn an_event_that_cannot_be_decoded_is_never_passed_over() {
    let bench = Bench::new().await;
    bench.append("note-a", Any, 1).await;
    let part = StreamEvents::raw(name("note-a"), Any, vec![event("Strange", "1")]);
    bench.store.append(&request([part])).await.unwrap();
    bench.append("note-a", Any, 3).await;
    let mut events = bench.store.stream_events(&name("note-a"), 0).typed::<Note>();
    assert_eq!(events.next().await.unwrap().unwrap().event, Note::Noted(1));
    for _ in 0..3 {
        let error = events.next().await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode);
        assert!(error.to_string().contains("note-a"), "{error}");
    }
}

#[tokio::test]
async fn after_an_error_it_goes_on_behind_the_last_event() {
    let bench = long(3_000).await;
    let mut session = bench.session().await;
    let kill = "select count(pg_terminate_backend(pid)) from pg_stat_activity
        where datname = current_database() and application_name = 'foldlog reader'";
    let mut events = bench.store.settled_events(Filter::all(), None).unwrap();
    let (mut seen, mut errors) = (Vec::new(), 0);
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => seen.push(label(&event)),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
                errors += 1;
            }
        }
        if errors < 2 && seen.len() == 100 + errors * 1_000 {
            number(&mut session, kill).await;
        }
    }
    assert!(errors > 0, "the schedule bites");
    assert_eq!(seen, bench.all().await);
}

#[tokio::test]
async fn settled_events_behind_a_token_of_another_store_are_refused() {
    let (bench, other) = (Bench::new().await, Bench::new().await);
    let token = bench.append("note-a", Any, 1).await.token;
    run(&mut other.session().await, "update foldlog.store set epoch = epoch + 1").await;
    let store = foldlog_eventstore::EventStore::open(&other.database.db()).await.unwrap();
    let error = store.settled_events(Filter::all(), Some(&token)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Foreign);
}
