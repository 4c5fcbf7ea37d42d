//! Conditions: what two appends may not both do, though they share no stream.

mod drawn;
mod edges;
mod judged;
mod model;
mod plans;
mod planted;
mod random;
mod waits;

use std::collections::BTreeSet;

use foldlog_core::{ErrorKind, Expected, Position, Query, QueryItem, Tag, Tenant};
use foldlog_eventstore::{AppendError, Appended, Condition, EventStore, Request, StreamEvents};
use sqlx::PgConnection;
use tokio_util::sync::CancellationToken;

use crate::support::{
    Bench, Note, PATIENCE, event, failure, name, noted, number, pid, refused, request, run,
};

fn tag(text: &str) -> Tag {
    let (name, value) = text.split_once(':').unwrap();
    Tag::new(name, value).unwrap()
}

/// An event with tags, for a stream at whatever version.
fn tagged(stream: &str, tags: &[&str]) -> StreamEvents {
    let mut event = event("Noted", "1");
    event.tags = tags.iter().map(|text| tag(text)).collect();
    StreamEvents::raw(name(stream), Expected::Any, vec![event])
}

fn query(tags: &[&str]) -> Query {
    tags.iter().fold(Query::of::<Note>(), |query, text| query.tagged(&tag(text)))
}

async fn read(store: &EventStore, query: &Query) -> (Vec<u64>, Condition) {
    let mut positions = Vec::new();
    let take = |raw: &foldlog_core::RawEvent, _: &[usize]| {
        positions.push(raw.position().get());
        Ok(())
    };
    let read = store.read_matching(&Tenant::default(), query, Position::START, take).await;
    let condition = read.unwrap();
    (positions, condition)
}

async fn condition(bench: &Bench, tags: &[&str]) -> Condition {
    read(&bench.store, &query(tags)).await.1
}

fn on(condition: &Condition, streams: impl IntoIterator<Item = StreamEvents>) -> Request {
    request(streams).condition(condition.clone()).unwrap()
}

fn overtaken(result: Result<Appended, AppendError>) -> u64 {
    match result {
        Err(AppendError::ConditionFailed { position }) => position.get(),
        other => panic!("the condition held: {other:?}"),
    }
}

async fn append_in(
    bench: &Bench,
    session: &mut PgConnection,
    request: &Request,
) -> Result<Appended, AppendError> {
    bench.store.append_in(session, request).await
}

#[tokio::test]
async fn what_was_added_within_the_boundary_since_the_read_stands_against_the_append() {
    let bench = Bench::new().await;
    bench.store.append(&request([tagged("note-a", &["seat:1"])])).await.unwrap();
    let before = condition(&bench, &["seat:1"]).await;
    // Outside: another tag, another stream, no tag.
    bench.store.append(&request([tagged("note-a", &["seat:2"])])).await.unwrap();
    bench.append("note-a", Expected::Any, 1).await;
    bench.store.append(&on(&before, [tagged("note-b", &["seat:1"])])).await.unwrap();
    // Its own event is within.
    assert_eq!(overtaken(bench.store.append(&on(&before, [tagged("note-b", &[])])).await), 4);
    // What the event is tagged by is of no matter to whoever asks for one of its tags.
    let both = condition(&bench, &["seat:1", "hall:x"]).await;
    bench.store.append(&request([tagged("note-c", &["hall:x"])])).await.unwrap();
    bench.store.append(&on(&both, [tagged("note-c", &[])])).await.unwrap();
    bench.store.append(&request([tagged("note-c", &["hall:x", "seat:1"])])).await.unwrap();
    assert_eq!(overtaken(bench.store.append(&on(&both, [tagged("note-c", &[])])).await), 7);
}

#[tokio::test]
async fn a_read_that_saw_only_the_later_of_two_appends_does_not_pass_the_earlier_one_by() {
    // research: two writers draw 1 and 2, and 2 commits first. "No match after 2" would be satisfied.
    let bench = Bench::new().await;
    let mut early = bench.begun().await;
    append_in(&bench, &mut early, &request([tagged("note-x", &["x:1"])])).await.unwrap();
    bench.store.append(&request([tagged("note-y", &["y:1"])])).await.unwrap();
    let either = query(&["x:1"]).or(query(&["y:1"]));
    let (seen, condition) = read(&bench.store, &either).await;
    assert_eq!((seen, condition.settled().get()), (vec![2], 0));
    assert!(!condition.is_settled());
    run(&mut early, "commit").await;
    assert_eq!(overtaken(bench.store.append(&on(&condition, [tagged("note-z", &[])])).await), 1);
    let (seen, condition) = read(&bench.store, &either).await;
    assert_eq!((seen, condition.is_settled()), (vec![1, 2], true));
    bench.store.append(&on(&condition, [tagged("note-z", &[])])).await.unwrap();
}

#[tokio::test]
async fn an_append_waits_for_who_may_be_adding_and_then_sees_what_was_added() {
    let bench = Bench::new().await;
    let before = condition(&bench, &["seat:1"]).await;
    for (end, stands) in [("rollback", false), ("commit", true)] {
        let mut other = bench.begun().await;
        append_in(&bench, &mut other, &request([tagged("note-b", &["seat:1"])])).await.unwrap();
        let pending = bench.appending(on(&before, [tagged("note-a", &[])]));
        // It holds its stream, and tries again and again for the tag.
        let mut session = bench.session().await;
        let sql = "select count(*) from pg_stat_activity
            where datname = current_database() and wait_event = 'PgSleep'";
        foldlog_testkit::wait_until(PATIENCE, async || number(&mut session, sql).await == 1).await;
        run(&mut other, end).await;
        let result = pending.await.unwrap();
        if stands {
            overtaken(result);
        } else {
            result.unwrap();
        }
    }
}

#[tokio::test]
async fn boundaries_that_share_nothing_never_wait_for_one_another() {
    let bench = Bench::new().await;
    let mut held = bench.begun().await;
    let one = condition(&bench, &["seat:1"]).await;
    append_in(&bench, &mut held, &on(&one, [tagged("note-a", &["seat:1"])])).await.unwrap();
    // The bound of the open append holds the settled position back, and nobody up.
    for n in 2..40 {
        let seat = format!("seat:{n}");
        let mut other = bench.begun().await;
        run(&mut other, "set local lock_timeout = '5s'").await;
        let condition = condition(&bench, &[&seat]).await;
        let request = on(&condition, [tagged(&format!("note-{n}"), &[&seat])]);
        match append_in(&bench, &mut other, &request).await {
            Ok(_) => run(&mut other, "commit").await,
            // One of 4,096 buckets may be the same.
            Err(AppendError::BoundaryBusy { .. }) => run(&mut other, "rollback").await,
            Err(error) => panic!("{error}"),
        }
    }
    run(&mut held, "commit").await;
}

#[tokio::test]
async fn a_query_without_tags_is_held_against_appends_without_tags() {
    let bench = Bench::new().await;
    let all = condition(&bench, &[]).await;
    let mut other = bench.begun().await;
    append_in(&bench, &mut other, &request([noted("note-a", Expected::Any, 1)])).await.unwrap();
    let pending = bench.appending(on(&all, [tagged("note-b", &[])]));
    let mut session = bench.session().await;
    let sql = "select count(*) from pg_stat_activity
        where datname = current_database() and wait_event = 'PgSleep'";
    foldlog_testkit::wait_until(PATIENCE, async || number(&mut session, sql).await == 1).await;
    run(&mut other, "commit").await;
    assert_eq!(overtaken(pending.await.unwrap()), 1);

    // And the other way round: an append of one event at a version meets a judgement under way.
    let all = condition(&bench, &[]).await;
    let mut judge = bench.begun().await;
    append_in(&bench, &mut judge, &on(&all, [tagged("note-b", &[])])).await.unwrap();
    let pending = bench.appending(request([noted("note-a", Expected::Exact(1), 1)]));
    bench.waiting(1).await;
    run(&mut judge, "commit").await;
    pending.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_condition_names_types_too() {
    let bench = Bench::new().await;
    let closed = Query::kinds::<Note>(["Closed"]).tagged(&tag("seat:1"));
    let (_, condition) = read(&bench.store, &closed).await;
    bench.store.append(&request([tagged("note-a", &["seat:1"])])).await.unwrap();
    bench.store.append(&on(&condition, [tagged("note-a", &["seat:1"])])).await.unwrap();
    let mut closing = event("Closed", "null");
    closing.tags = vec![tag("seat:1")];
    let closing = StreamEvents::raw(name("note-a"), Expected::Any, vec![closing]);
    bench.store.append(&request([closing])).await.unwrap();
    assert_eq!(overtaken(bench.store.append(&on(&condition, [tagged("note-a", &[])])).await), 3);
    assert_eq!(read(&bench.store, &closed).await.0, [3]);
    let error = Query::kinds::<Note>(["Clsoed"]).items().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("Clsoed"), "{error}");
}

#[tokio::test]
async fn a_repeated_append_is_recognised_before_its_condition_is_judged() {
    let bench = Bench::new().await;
    let before = condition(&bench, &["seat:1"]).await;
    for expected in [Expected::Any, Expected::NoStream] {
        let mut event = event("Noted", "1");
        event.tags = vec![tag("seat:1")];
        let stream = format!("note-{expected}").replace(' ', "_");
        let events = StreamEvents::raw(name(&stream), expected, vec![event]);
        let fresh = condition(&bench, &["seat:1"]).await;
        let request = on(&fresh, [events]);
        let first = bench.store.append(&request).await.unwrap();
        let again = bench.store.append(&request).await.unwrap();
        assert!(again.repeated && !first.repeated);
        assert_eq!(first.token, again.token);
    }
    overtaken(bench.store.append(&on(&before, [tagged("note-a", &[])])).await);
}

#[tokio::test]
async fn a_condition_is_refused_where_it_could_not_be_exact() {
    let bench = Bench::new().await;
    let before = condition(&bench, &["seat:1"]).await;
    for level in ["repeatable read", "serializable"] {
        let mut session = bench.begun().await;
        let sql = format!("set transaction isolation level {level}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut session).await.unwrap();
        let request = on(&before, [tagged("note-a", &["seat:1"])]);
        let error = failure(append_in(&bench, &mut session, &request).await);
        assert_eq!(error.kind(), ErrorKind::Setup, "{error}");
        run(&mut session, "rollback").await;
        // And so is the read for one.
        run(&mut session, "begin isolation level repeatable read").await;
        let (tenant, query) = (Tenant::default(), query(&["seat:1"]));
        let take = |_: &foldlog_core::RawEvent, _: &[usize]| Ok(());
        let read =
            bench.store.read_matching_in(&mut session, &tenant, &query, Position::START, take);
        assert_eq!(read.await.unwrap_err().kind(), ErrorKind::Setup);
        run(&mut session, "rollback").await;
    }
    // One of another store, or of this one before it was set back.
    bench.append("note-a", Expected::Any, 1).await;
    let ahead = condition(&bench, &["seat:1"]).await;
    let mut session = bench.session().await;
    run(
        &mut session,
        "set foldlog.unguarded = 'on'; delete from foldlog.event;
         select setval('foldlog.event_position', 1, false)",
    )
    .await;
    let error = failure(bench.store.append(&on(&ahead, [tagged("note-b", &[])])).await);
    assert_eq!(error.kind(), ErrorKind::Foreign, "{error}");
    // Tags on their own do no harm there.
    run(&mut session, "begin isolation level serializable").await;
    append_in(&bench, &mut session, &request([tagged("note-c", &["seat:1"])])).await.unwrap();
    run(&mut session, "commit").await;
}

#[tokio::test]
async fn a_tenants_boundary_is_its_own() {
    let bench = Bench::new().await;
    let other = Tenant::new("other").unwrap();
    let here = condition(&bench, &["seat:1"]).await;
    let all = condition(&bench, &[]).await;
    let theirs = tagged("note-a", &["seat:1"]);
    let request = Request::new([StreamEvents::raw(
        foldlog_core::StreamName::parse(&other, "note-a").unwrap(),
        Expected::Any,
        vec![{
            let mut event = event("Noted", "1");
            event.tags = vec![tag("seat:1")];
            event
        }],
    )])
    .unwrap();
    bench.store.append(&request).await.unwrap();
    bench.store.append(&on(&all, [tagged("note-b", &[])])).await.unwrap();
    bench.store.append(&on(&here, [theirs])).await.unwrap();
    assert_eq!(request.condition(here).unwrap_err().kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn more_tags_than_the_table_of_locks_has_room_for_take_one_lock() {
    let bench = Bench::new().await;
    let many = |from: u32| -> Vec<StreamEvents> {
        (from..from + 10)
            .map(|n| {
                let tags: Vec<_> = (0..60).map(|m| format!("seat:{n}_{m}")).collect();
                let tags: Vec<_> = tags.iter().map(String::as_str).collect();
                tagged(&format!("note-{n}"), &tags)
            })
            .collect()
    };
    let mut session = bench.begun().await;
    append_in(&bench, &mut session, &request(many(0))).await.unwrap();
    let locks = "select count(*) from pg_locks where locktype = 'advisory'
        and pid = pg_backend_pid() and (classid::bigint >> 12) & 4095 = 4095";
    assert_eq!(number(&mut session, locks).await, 1);
    run(&mut session, "commit").await;
    assert_eq!(read(&bench.store, &query(&["seat:3_59"])).await.0.len(), 1);
    // Fewer are locked one by one, shared: others go on.
    run(&mut session, "begin").await;
    append_in(&bench, &mut session, &request([tagged("note-x", &["a:1", "b:2", "c:3"])]))
        .await
        .unwrap();
    assert_eq!(number(&mut session, locks).await, 4);
    bench.store.append(&request([tagged("note-y", &["a:1", "b:2", "c:3"])])).await.unwrap();
    run(&mut session, "rollback").await;
    let tags: Vec<_> = (0..65).map(|n| format!("seat:{n}")).collect();
    let tags: Vec<_> = tags.iter().map(String::as_str).collect();
    assert_eq!(Request::new([tagged("note-a", &tags)]).unwrap_err().kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn a_boundary_that_stays_held_is_busy_and_not_waited_for_for_ever() {
    let bench = Bench::new().await;
    let before = condition(&bench, &["seat:1"]).await;
    let mut holder = bench.begun().await;
    append_in(&bench, &mut holder, &request([tagged("note-b", &["seat:1"])])).await.unwrap();
    let mut session = bench.begun().await;
    run(&mut session, "set local lock_timeout = '200ms'").await;
    let busy = append_in(&bench, &mut session, &on(&before, [tagged("note-a", &[])])).await;
    assert!(matches!(&busy, Err(AppendError::BoundaryBusy { .. })), "{busy:?}");
    // It is an answer, and the transaction goes on.
    run(&mut session, "commit").await;
    run(&mut holder, "rollback").await;
    bench.store.append(&on(&before, [tagged("note-a", &[])])).await.unwrap();
}

#[tokio::test]
async fn in_a_group_too_the_answer_of_a_held_boundary_names_who_holds_it() {
    let bench = Bench::new().await;
    let shutdown = CancellationToken::new();
    let (store, token) = (bench.store.clone(), shutdown.clone());
    let running = tokio::spawn(async move { store.run(token).await });
    let before = condition(&bench, &["seat:1"]).await;
    let mut holder = bench.begun().await;
    append_in(&bench, &mut holder, &request([tagged("note-b", &["seat:1"])])).await.unwrap();
    let waiting = bench.appending(on(&before, [tagged("note-a", &["seat:1"])]));
    // Others go on meanwhile, on other tags and on none.
    bench.store.append(&request([tagged("note-c", &["seat:2"])])).await.unwrap();
    bench.append("note-d", Expected::Any, 1).await;
    match waiting.await.unwrap() {
        Err(AppendError::BoundaryBusy { pid: Some(holding) }) => {
            assert_eq!(holding, pid(&mut holder).await);
        }
        other => panic!("{other:?}"),
    }
    run(&mut holder, "rollback").await;
    bench.store.append(&on(&before, [tagged("note-a", &["seat:1"])])).await.unwrap();
    shutdown.cancel();
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn two_transactions_that_want_what_the_other_has_end_both() {
    let bench = Bench::new().await;
    let (one, two) = (condition(&bench, &["a:1"]).await, condition(&bench, &["b:2"]).await);
    let mut first = bench.begun().await;
    let mut second = bench.begun().await;
    for session in [&mut first, &mut second] {
        run(session, "set local lock_timeout = '500ms'").await;
    }
    append_in(&bench, &mut first, &request([tagged("note-a", &["a:1"])])).await.unwrap();
    append_in(&bench, &mut second, &request([tagged("note-b", &["b:2"])])).await.unwrap();
    let (two, one) = (on(&two, [tagged("note-c", &[])]), on(&one, [tagged("note-d", &[])]));
    let (first, second) =
        tokio::join!(append_in(&bench, &mut first, &two), append_in(&bench, &mut second, &one));
    for result in [first, second] {
        assert!(matches!(&result, Err(AppendError::BoundaryBusy { .. })), "{result:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_racers_on_one_boundary_one_wins_each_time_with_and_without_a_group() {
    let bench = Bench::new().await;
    let shutdown = CancellationToken::new();
    for group in [false, true] {
        let running = group.then(|| {
            let (store, shutdown) = (bench.store.clone(), shutdown.clone());
            tokio::spawn(async move { store.run(shutdown).await })
        });
        for round in 0..25 {
            let seat = format!("seat:{group}_{round}");
            let condition = condition(&bench, &[&seat]).await;
            let racers: Vec<_> = (0..16)
                .map(|n| bench.appending(on(&condition, [tagged(&format!("note-{n}"), &[&seat])])))
                .collect();
            let mut winners = 0;
            for racer in racers {
                match racer.await.unwrap() {
                    Ok(_) => winners += 1,
                    Err(AppendError::ConditionFailed { .. }) => {}
                    Err(error) => panic!("{error}"),
                }
            }
            assert_eq!((winners, read(&bench.store, &query(&[&seat])).await.0.len()), (1, 1));
        }
        if let Some(running) = running {
            shutdown.cancel();
            running.await.unwrap().unwrap();
        }
    }
}

#[tokio::test]
async fn a_read_pages_through_what_is_settled_and_names_the_rest() {
    let bench = Bench::new().await;
    let many = |from: u32, count: u32| {
        let events = (from..from + count).map(|n| {
            let mut event = event("Noted", &n.to_string());
            event.tags = vec![tag("seat:1")];
            event
        });
        StreamEvents::raw(name("note-a"), Expected::Any, events.collect())
    };
    for from in [0, 1_000, 2_000] {
        bench.store.append(&request([many(from, 1_000)])).await.unwrap();
    }
    let mut open = bench.begun().await;
    append_in(&bench, &mut open, &request([noted("note-z", Expected::Any, 1)])).await.unwrap();
    bench.store.append(&request([many(3_000, 900)])).await.unwrap();
    let (seen, condition) = read(&bench.store, &query(&["seat:1"])).await;
    assert_eq!((seen.len(), seen.is_sorted(), condition.settled().get()), (3_900, true, 3_000));
    bench.store.append(&on(&condition, [tagged("note-b", &[])])).await.unwrap();

    // Too many beyond: the read waits until they settle.
    bench.store.append(&request([many(3_900, 900)])).await.unwrap();
    let store = bench.store.clone();
    let pending = tokio::spawn(async move { read(&store, &query(&["seat:1"])).await });
    tokio::task::yield_now().await;
    run(&mut open, "commit").await;
    let (seen, condition) = pending.await.unwrap();
    assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 4_800);
    assert!(condition.is_settled());
}

#[tokio::test]
async fn an_event_says_which_items_it_matches() {
    let bench = Bench::new().await;
    bench.store.append(&request([tagged("note-a", &["a:1", "b:1"])])).await.unwrap();
    bench.store.append(&request([tagged("note-a", &["b:1"])])).await.unwrap();
    bench.append("note-a", Expected::Any, 1).await;
    let query =
        query(&["a:1"]).or(query(&["b:1"])).or(query(&["b:1", "a:1"])).or(Query::of::<Note>());
    assert_eq!(
        query.items().unwrap()[2],
        QueryItem { types: vec!["note".into()], tags: vec![tag("b:1"), tag("a:1")] }
    );
    let mut matched = Vec::new();
    let take = |_: &foldlog_core::RawEvent, items: &[usize]| {
        matched.push(items.to_vec());
        Ok(())
    };
    let tenant = Tenant::default();
    bench.store.read_matching(&tenant, &query, Position::START, take).await.unwrap();
    assert_eq!(matched, [vec![0, 1, 2, 3], vec![1, 3], vec![3]]);
}

#[tokio::test]
async fn tags_are_only_written_with_events_and_never_changed() {
    let bench = Bench::new().await;
    let mut session = bench.session().await;
    bench.store.append(&request([tagged("note-a", &["a:1"])])).await.unwrap();
    let insert = "insert into foldlog.event_tag values ('', 'a:1', 9, 1)";
    assert_eq!(refused(&mut session, insert).await, "FL005");
}
