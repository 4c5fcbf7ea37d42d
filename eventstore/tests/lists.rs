//! What there is: streams, categories, types.

use foldlog_core::Expected::Any;
use foldlog_core::{ErrorKind, StreamName, Tenant};
use foldlog_eventstore::{StreamInfo, StreamState};

use crate::support::{
    Bench, database_of_width, event, name, noted, noted_many, number, request, run,
};
use foldlog_eventstore::StreamEvents;

#[tokio::test]
async fn what_is_known_of_a_stream_is_what_a_reader_finds_in_it() {
    let bench = Bench::on(database_of_width(4).await).await;
    bench.append("note-first", Any, 1).await;
    for n in 0..4 {
        bench.store.append(&request([noted_many("note-a", Any, n * 3, 3)])).await.unwrap();
        bench.append("note-b", Any, n).await;
        let info = bench.store.stream_info(&name("note-a")).await.unwrap().unwrap();
        let page = bench.store.read_stream(&name("note-a"), 0, 99).await.unwrap();
        assert_eq!((info.version, info.last), (page.version, page.position));
        assert_eq!(info.first, page.events[0].position());
        assert_eq!((info.category(), info.slice), ("note", name("note-a").slice()));
        assert_eq!((&info.name, info.state), (&name("note-a"), StreamState::Open));
        assert!(info.created <= page.events[0].recorded);
    }
    assert!(bench.store.stream_info(&name("note-missing")).await.unwrap().is_none());
    let other = StreamName::parse(&Tenant::new("other").unwrap(), "note-a").unwrap();
    assert!(bench.store.stream_info(&other).await.unwrap().is_none(), "tenants are apart");
    // A mark that a newer program has set.
    let mark = "update foldlog.stream set state = 7 where name = 'note-a'";
    run(&mut bench.session().await, mark).await;
    let info = bench.store.stream_info(&name("note-a")).await.unwrap().unwrap();
    assert_eq!(info.state, StreamState::Unknown(7));
}

fn keys(streams: &[StreamInfo]) -> Vec<&str> {
    streams.iter().map(|info| info.name.key()).collect()
}

#[tokio::test]
async fn streams_are_listed_by_name_in_pages_without_seam() {
    let bench = Bench::on(database_of_width(8).await).await;
    // By bytes: capitals before small letters, and all of them before what is no ASCII.
    let expected =
        ["", "-", ".", "A", "B-x", "a", "a-1", "a-2", "aa", "b", "é", "𝄞", "\u{10ffff}z"];
    let expected: Vec<String> = expected.iter().map(|key| format!("k{key}")).collect();
    let mut shuffled = expected.clone();
    shuffled.reverse();
    for key in &shuffled {
        bench.append(&format!("note-{key}"), Any, 1).await;
    }
    // Neighbours in the order of names, which are of other categories or of another tenant.
    for stream in ["note.x-k", "notes-ka", "not-ka", "Note-ka"] {
        bench.append(stream, Any, 1).await;
    }
    let other = Tenant::new("other").unwrap();
    let of_other = StreamName::parse(&other, "note-kother").unwrap();
    let part = StreamEvents::raw(of_other.clone(), Any, vec![event("Noted", "1")]);
    bench.store.append(&request([part])).await.unwrap();

    for limit in [1, 2, 5, 12, 13, 14, u32::MAX] {
        let (mut seen, mut list) = (Vec::new(), bench.store.streams("note").limit(limit));
        loop {
            let page = list.page().await.unwrap();
            assert!(page.streams.len() as u64 <= u64::from(limit));
            seen.extend(keys(&page.streams).into_iter().map(str::to_owned));
            let Some(last) = page.streams.last().filter(|_| page.more) else { break };
            list = list.after(&last.name);
        }
        assert_eq!(seen, expected, "limit {limit}");
    }
    let prefixed = async |prefix: &str| {
        let page = bench.store.streams("note").prefix(prefix).page().await.unwrap();
        assert!(!page.more);
        keys(&page.streams).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(prefixed("ka").await, ["ka", "ka-1", "ka-2", "kaa"]);
    assert_eq!(prefixed("ka-").await, ["ka-1", "ka-2"]);
    assert_eq!(prefixed("k\u{10ffff}").await, ["k\u{10ffff}z"]);
    assert!(prefixed("kz").await.is_empty());
    assert!(prefixed("%").await.is_empty(), "no pattern");
    let page = bench.store.streams("note").prefix("ka").after(&name("note-ka-1")).page().await;
    assert_eq!(keys(&page.unwrap().streams), ["ka-2", "kaa"]);
    let page = bench.store.streams("note").tenant(&other).page().await.unwrap();
    assert_eq!((page.streams.len(), &page.streams[0].name), (1, &of_other));
    assert!(bench.store.streams("nobody").page().await.unwrap().streams.is_empty());
    let nothing = bench.store.streams("note").limit(0).page().await.unwrap();
    assert!(nothing.streams.is_empty() && !nothing.more);
    // What is listed is what is known of each.
    for info in bench.store.streams("note").page().await.unwrap().streams {
        assert_eq!(bench.store.stream_info(&info.name).await.unwrap(), Some(info));
    }
}

#[tokio::test]
async fn what_no_category_or_key_can_be_is_refused() {
    let bench = Bench::new().await;
    let list = |category: &str| bench.store.streams(category);
    let wrong = [list(""), list("a-b"), list("a\0"), list("note").prefix("x\0")];
    for list in wrong {
        assert_eq!(list.page().await.unwrap_err().kind(), ErrorKind::Invalid, "{list:?}");
    }
}

#[tokio::test]
async fn a_list_of_one_prefix_looks_at_no_streams_but_its_own() {
    let bench = Bench::new().await;
    for n in 0..20 {
        let parts = (0..100).map(|m| noted(&format!("note-{n:02}-{m:02}"), Any, 1));
        bench.store.append(&request(parts)).await.unwrap();
    }
    run(&mut bench.session().await, "analyze foldlog.stream; analyze foldlog.event").await;
    let mut tx = bench.begun().await;
    let looked = "select (coalesce(idx_tup_fetch, 0) + seq_tup_read)::bigint
        from pg_stat_xact_user_tables where relid = 'foldlog.stream'::regclass";
    let before = number(&mut tx, looked).await;
    let list = "select count(*) from foldlog.list_streams_1('', 'note', '07-1', '', 1000, false)";
    assert_eq!(number(&mut tx, list).await, 10);
    let page = "select count(*) from foldlog.list_streams_1('', 'note', '', 'note-08', 10, false)";
    assert_eq!(number(&mut tx, page).await, 10);
    let looked = number(&mut tx, looked).await - before;
    assert!(looked < 150, "{looked} of 2,000 streams");
}

#[tokio::test]
async fn categories_are_listed_with_the_types_of_their_events() {
    let bench = Bench::new().await;
    for (stream, kind) in [("zoo-1", "Opened"), ("cat-1", "Born"), ("cat-2", "Adopted")] {
        let part = StreamEvents::raw(name(stream), Any, vec![event(kind, "1")]);
        bench.store.append(&request([part])).await.unwrap();
    }
    run(&mut bench.session().await, "insert into foldlog.category (name) values ('bare')").await;
    let categories = bench.store.categories().await.unwrap();
    let listed: Vec<(&str, Vec<(&str, u32)>)> = categories
        .iter()
        .map(|category| {
            let kinds = category.kinds.iter().map(|kind| (&*kind.name, kind.schema_version));
            (&*category.name, kinds.collect())
        })
        .collect();
    let expected = [
        ("bare", vec![]),
        ("cat", vec![("Adopted", 1), ("Born", 1)]),
        ("note", vec![("Closed", 1), ("Noted", 1)]),
        ("zoo", vec![("Opened", 1)]),
    ];
    assert_eq!(listed, expected);
}
