//! Reads: pages, filters, slices, tenants, and bytes that come back as they went in.

use std::collections::BTreeSet;

use foldlog_core::Expected::{Any, NoStream};
use foldlog_core::{
    ErrorKind, Filter, Metadata, Position, SliceClass, Source, StreamName, StreamTail, Tenant,
    Token,
};
use foldlog_eventstore::{EVENT_BYTES_MAX, EVENT_DEPTH_MAX, EventStore, Request, StreamEvents};
use uuid::Uuid;

use crate::support::{Bench, event, label, name, noted, noted_many, number, request};

async fn filtered(bench: &Bench, filter: &Filter) -> Vec<String> {
    let mut reader = bench.store.reader().await.unwrap();
    let (mut labels, mut after) = (Vec::new(), Position::START);
    loop {
        let page = reader.page(filter, after, 3).await.unwrap();
        assert!(page.events.len() <= 3);
        labels.extend(page.events.iter().map(label));
        after = page.through;
        if !page.more {
            return labels;
        }
    }
}

#[tokio::test]
async fn pages_of_a_stream_join_without_seam() {
    let bench = Bench::new().await;
    bench.store.append(&request([noted_many("note-a", NoStream, 1, 10)])).await.unwrap();
    bench.append("note-b", Any, 1).await;
    for limit in [1, 3, 10, 11, u32::MAX] {
        let (mut versions, mut after) = (Vec::new(), 0);
        loop {
            let page = bench.store.read_stream(&name("note-a"), after, limit).await.unwrap();
            assert_eq!((page.version, page.position), (10, Position::new(10)));
            versions.extend(page.events.iter().map(|e| e.version));
            after = versions.last().copied().unwrap();
            if !page.more {
                break;
            }
        }
        assert_eq!(versions, (1..=10).collect::<Vec<_>>(), "limit {limit}");
    }
    for beyond in [10, 11, u64::MAX] {
        let page = bench.store.read_stream(&name("note-a"), beyond, 5).await.unwrap();
        assert!(page.events.is_empty() && !page.more && page.version == 10);
    }
    let page = bench.store.read_stream(&name("note-missing"), 0, 5).await.unwrap();
    assert!(page.events.is_empty() && !page.more && page.version == 0);
    // The tail begins after a version and after a position.
    for (version, position, seen) in [(0, 0, 10), (4, 0, 6), (0, 7, 3), (9, 9, 1), (9, 10, 0)] {
        let after = Position::new(position);
        let tail = bench.store.tail(&name("note-a"), version, after, 99).await.unwrap();
        assert_eq!(tail.len(), seen, "{version} {position}");
    }
}

#[tokio::test]
async fn pages_of_all_events_join_without_seam() {
    let bench = Bench::new().await;
    for n in 0..10 {
        bench.append(if n % 3 == 0 { "note-a" } else { "note-b" }, Any, n).await;
    }
    let all = bench.all().await;
    assert_eq!(all.len(), 10);
    assert_eq!(filtered(&bench, &Filter::all()).await, all);
    let mut reader = bench.store.reader().await.unwrap();
    for limit in [0, 1, 2, 10, u32::MAX] {
        let (mut labels, mut after) = (Vec::new(), Position::START);
        while labels.len() < 10 {
            let page = reader.page(&Filter::all(), after, limit).await.unwrap();
            assert!(!page.events.is_empty(), "limit {limit} stops before the end");
            labels.extend(page.events.iter().map(label));
            after = page.through;
        }
        assert_eq!(labels, all, "limit {limit}");
    }
    // The same question again has the same answer.
    let again = reader.page(&Filter::all(), Position::new(4), 3).await.unwrap();
    assert_eq!(again.events.iter().map(label).collect::<Vec<_>>(), all[4..7]);
    let error = reader.page(&Filter::all(), Position::new(11), 3).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Foreign);
}

#[tokio::test]
async fn a_filter_shows_what_it_names_and_nothing_else() {
    let bench = Bench::new().await;
    let put = async |stream: &str, kind: &'static str| {
        let events = vec![event(kind, "0")];
        let part = StreamEvents::raw(name(stream), Any, events);
        bench.store.append(&request([part])).await.unwrap();
    };
    put("cat-1", "A").await;
    put("dog-1", "A").await;
    put("cat-1", "B").await;
    put("dog-1", "C").await;
    put("catfish-1", "B").await;
    let of = async |filter: Filter| filtered(&bench, &filter).await;
    assert_eq!(of(Filter::all().categories(&["cat"][..])).await, ["cat-1@1", "cat-1@2"]);
    assert_eq!(of(Filter::all().kinds(&["A"][..])).await, ["cat-1@1", "dog-1@1"]);
    let both = Filter::all().categories(&["cat", "dog"][..]).kinds(&["B", "C"][..]);
    assert_eq!(of(both).await, ["cat-1@2", "dog-1@2"]);
    assert!(of(Filter::all().categories(&["mouse"][..])).await.is_empty());
    assert!(of(Filter::all().categories(&["cat"][..]).kinds(&["C"][..])).await.is_empty());
    // A category that is born later is seen by the same reader.
    let mut reader = bench.store.reader().await.unwrap();
    let mice = Filter::all().categories(&["mouse"][..]);
    let page = reader.page(&mice, Position::START, 9).await.unwrap();
    assert_eq!(page.through, Position::new(5));
    put("mouse-1", "A").await;
    let page = reader.page(&mice, page.through, 9).await.unwrap();
    assert_eq!(page.events.len(), 1);
}

#[tokio::test]
async fn every_event_is_in_exactly_one_class() {
    let bench = Bench::new().await;
    for n in 0..40 {
        bench.append(&format!("note-{n}"), Any, n).await;
    }
    let all: BTreeSet<_> = bench.all().await.into_iter().collect();
    for modulus in [1, 4, 16, 1024] {
        let (mut seen, mut count) = (BTreeSet::new(), 0);
        for class in SliceClass::all(modulus).filter(|c| modulus < 1024 || c.remainder() < 3) {
            let labels = filtered(&bench, &Filter::all().class(class)).await;
            let fits = |l: &String| {
                name(l.split('@').next().unwrap()).slice() % modulus == class.remainder()
            };
            assert!(labels.iter().all(fits), "{class}");
            count += labels.len();
            seen.extend(labels);
        }
        if modulus < 1024 {
            assert_eq!((&seen, count), (&all, 40), "{modulus}");
        }
    }
}

#[tokio::test]
async fn tenants_are_apart() {
    let bench = Bench::new().await;
    let streams = ["", "one", "two"]
        .map(|t| StreamName::parse(&Tenant::new(t).unwrap(), "note-same").unwrap());
    for (n, stream) in streams.iter().enumerate() {
        for _ in 0..=n {
            let events = vec![event("Noted", &n.to_string())];
            let part = StreamEvents::raw(stream.clone(), Any, events);
            bench.store.append(&request([part])).await.unwrap();
        }
    }
    for (n, stream) in streams.iter().enumerate() {
        let page = bench.store.read_stream(stream, 0, 10).await.unwrap();
        assert_eq!(page.version, n as u64 + 1);
        let own =
            |e: &foldlog_core::RawEvent| e.payload.get() == n.to_string() && e.stream == *stream;
        assert!(page.events.iter().all(own));
    }
    let mut slices = bench.session().await;
    let sql = "select count(distinct slice) from foldlog.stream where name = 'note-same'";
    assert_eq!(number(&mut slices, sql).await, 1, "the tenant is no part of the slice");
}

#[tokio::test]
async fn what_comes_out_is_byte_for_byte_what_went_in() {
    let bench = Bench::new().await;
    let long = format!("\"{}\"", "é𝄞x".repeat(100_000));
    let deep = format!("{}{}", "[".repeat(EVENT_DEPTH_MAX), "]".repeat(EVENT_DEPTH_MAX));
    let largest = format!("\"{}\"", "x".repeat(EVENT_BYTES_MAX - 2));
    let corpus = [
        "null",
        "{ \"b\" : 1 ,\n\t\"a\":2, \"b\":3 }",
        r#"{"\u0061":"\u00e9\ud83d\ude00","":"","\"\\\/\b\f\n\r\t":0}"#,
        "[1.0,1.50,-0,-0.0,1e5,1E+5,1e-400,18446744073709551615,0.1234567890123456789012345]",
        "170141183460469231731687303715884105727",
        "\"  \u{7f}\u{2028}\u{feff}\u{10ffff}\"",
        r#""'; drop table foldlog.event; --""#,
        "{\"$1\":\"{}\"}",
        &long,
        &deep,
        &largest,
    ];
    for (n, json) in corpus.iter().enumerate() {
        let stream = name(&format!("note-{n}"));
        let part = StreamEvents::raw(stream.clone(), NoStream, vec![event("Noted", json)]);
        bench.store.append(&request([part])).await.unwrap();
        let page = bench.store.read_stream(&stream, 0, 2).await.unwrap();
        assert_eq!(page.events[0].payload.get(), *json, "{n}");
    }
    let mut reader = bench.store.reader().await.unwrap();
    let page = reader.page(&Filter::all(), Position::START, 99).await.unwrap();
    let read: Vec<_> = page.events.iter().map(|e| e.payload.get()).collect();
    assert_eq!(read, corpus);
}

#[tokio::test]
async fn what_could_not_be_read_back_is_refused_at_the_append() {
    let long = format!("\"{}\"", "x".repeat(EVENT_BYTES_MAX - 1));
    let deep = format!("{}{}", "[".repeat(EVENT_DEPTH_MAX + 1), "]".repeat(EVENT_DEPTH_MAX + 1));
    for json in [&long, &deep, r#""\u0000""#, r#"{"a":"x\u0000"}"#, "1e999", r#""\udead""#] {
        let part = StreamEvents::raw(name("note-a"), Any, vec![event("Noted", json)]);
        let error = Request::new([part]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{json:.30}");
        assert!(!error.to_string().contains("udead"), "no payload in an error");
    }
    // Seventeen that are allowed are too many bytes together.
    let largest = format!("\"{}\"", "x".repeat(EVENT_BYTES_MAX - 2));
    let events = (0..17).map(|_| event("Noted", &largest)).collect();
    let error = Request::new([StreamEvents::raw(name("note-a"), Any, events)]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    let metadata = Metadata::new().with("note", "a\0b");
    assert!(request([noted("note-a", Any, 1)]).metadata(&metadata).is_err());
}

#[tokio::test]
async fn metadata_and_names_come_back() {
    let bench = Bench::new().await;
    let metadata = Metadata::new()
        .correlation("c-1")
        .causation("c-0")
        .with("who", "ä")
        .with("n", serde_json::json!({"deep": [1, 2.5, null]}));
    let stream =
        StreamName::parse(&Tenant::new("tenänt").unwrap(), "note-ключ-1/%2F '\"\\").unwrap();
    let part =
        StreamEvents::raw(stream.clone(), Any, vec![event("Noted", "7"), event("Closed", "null")]);
    let request = request([part]).metadata(&metadata).unwrap();
    let appended = bench.store.append(&request).await.unwrap();
    bench.append("note-plain", Any, 1).await;
    let page = bench.store.read_stream(&stream, 0, 9).await.unwrap();
    let typed: Vec<_> =
        page.events.iter().map(|e| e.typed::<crate::support::Note>().unwrap()).collect();
    assert!(typed.iter().all(|e| e.metadata == metadata && e.name == stream));
    assert_eq!(typed[0].event, crate::support::Note::Noted(7));
    assert_eq!((typed[1].token, typed[1].version), (appended.token, 2));
    assert_ne!(typed[0].id, typed[1].id);
    let age = typed[0].recorded.elapsed().unwrap_or_default();
    assert!(age < std::time::Duration::from_secs(3600), "{age:?}");
    let page = bench.store.read_stream(&name("note-plain"), 0, 9).await.unwrap();
    assert!(page.events[0].metadata.is_none());
}

#[tokio::test]
async fn types_that_another_process_made_known_are_read() {
    let bench = Bench::new().await;
    let other = EventStore::open(&bench.database.db()).await.unwrap();
    let part = || StreamEvents::raw(name("fresh-1"), Any, vec![event("Fresh", "1")]);
    bench.store.append(&request([part()])).await.unwrap();
    let page = other.read_stream(&name("fresh-1"), 0, 9).await.unwrap();
    assert_eq!(&*page.events[0].kind, "Fresh");
    let mut reader = EventStore::open(&bench.database.db()).await.unwrap().reader().await.unwrap();
    assert_eq!(reader.page(&Filter::all(), Position::START, 9).await.unwrap().events.len(), 1);
    other.append(&request([part()])).await.unwrap();
    let mut session = bench.session().await;
    let types = "select count(*) from foldlog.event_type where name = 'Fresh'";
    assert_eq!(number(&mut session, types).await, 1);
}

#[tokio::test]
async fn a_token_of_another_store_is_refused() {
    let (bench, other) = (Bench::new().await, Bench::new().await);
    let token = bench.append("note-a", Any, 1).await.token;
    assert!(bench.store.subscribe(Filter::all()).after(&token).is_ok());
    // Both databases were cloned from one template, as a copy of a store would be: only when a
    // recovery was told are they another life.
    let text: Token = token.to_string().parse().unwrap();
    assert_eq!(text, token);
    let mut session = other.session().await;
    for change in [
        "update foldlog.store set epoch = epoch + 1",
        "update foldlog.store set id = gen_random_uuid()",
    ] {
        crate::support::run(&mut session, change).await;
        let store = EventStore::open(&other.database.db()).await.unwrap();
        let error = store.subscribe(Filter::all()).after(&token).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Foreign, "{change}");
    }
    assert!(bench.store.receipt(&Tenant::default(), Uuid::now_v7()).await.unwrap().is_none());
}
