//! What memory holds over a crash of the server: positions that nobody's commit flushed are given
//! again; an event type was flushed before anybody knew of it.

use std::collections::BTreeSet;

use foldlog_core::{ErrorKind, Expected, Filter, Position, Query, Source, Tenant};
use foldlog_eventstore::AppendError;
use foldlog_pg::settled;
use foldlog_testkit::Cluster;
use sqlx::Row;

use crate::support::{Bench, Note, follow, label, noted_many, number, request, run};

/// A crash after which positions are given again that a reader had seen as settled and empty: how
/// far it had come is answered with it.
async fn set_back() -> (Bench<Cluster>, Box<dyn foldlog_core::Reader>, Position) {
    let (bench, reader) = set_back_behind(async |bench| {
        let mut reader = bench.store.reader().await.unwrap();
        let mut cursor = Position::START;
        assert_eq!(follow(&mut *reader, &mut cursor).await.len(), 1);
        reader
    })
    .await;
    (bench, reader, Position::new(41))
}

/// The same, with what was read just before the crash.
async fn set_back_behind<T>(read: impl AsyncFn(&Bench<Cluster>) -> T) -> (Bench<Cluster>, T) {
    // Any other process of the server may flush the log in between; then it is tried again.
    for _ in 0..10 {
        let mut bench = Bench::alone(&[("wal_writer_delay", "10s")]).await;
        bench.append("note-a", Expected::Any, 1).await;
        let mut session = bench.session().await;
        // What the first reads of a session tidy up is logged, and would be flushed.
        drop((read(&bench).await, read(&bench).await));
        // Behind it the next draw is logged, wherever the sequence stands; and what an append does
        // up to its rows is so little that its rollback does not wake the writer of the log.
        run(&mut session, "checkpoint").await;
        run(
            &mut session,
            "begin;
            select foldlog.bound_1(0);
            select nextval('foldlog.event_position') from generate_series(1, 40);
            rollback",
        )
        .await;
        let seen = read(&bench).await;
        bench.crash().await;
        if number(&mut bench.session().await, "select foldlog.log_last(0)").await < 41 {
            return (bench, seen);
        }
    }
    panic!("the sequence was flushed each time");
}

#[tokio::test]
async fn a_reader_from_before_a_crash_errs_and_a_new_one_misses_nothing() {
    let (bench, mut reader, cursor) = set_back().await;
    let mut subscription = bench.store.subscribe(Filter::all());
    let many = request([noted_many("note-b", Expected::Any, 1, 60)]);
    let appended = bench.store.append(&many).await.unwrap();
    let first = number(
        &mut bench.session().await,
        "select min(position) from foldlog.event where position > 1",
    )
    .await;
    assert!(first.cast_unsigned() <= cursor.get(), "the position was given again");
    assert!(appended.token.position() > cursor);
    for _ in 0..3 {
        let error = reader.page(&Filter::all(), cursor, 100).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    }
    // Begun behind the last event delivered, as a subscription does and a checkpoint says.
    let mut fresh = bench.store.reader().await.unwrap();
    let seen = follow(&mut *fresh, &mut Position::new(1)).await;
    assert_eq!(seen.len(), 60);
    assert_eq!(subscription.next().await.unwrap().events.len(), 61);
    // Begun where the old one stood in memory.
    let missed = follow(&mut *fresh, &mut cursor.clone()).await.len();
    assert!(missed < 60, "the schedule bites");
}

#[tokio::test]
async fn a_cursor_of_before_a_crash_that_lies_beyond_the_end_is_refused() {
    let (bench, _, cursor) = set_back().await;
    let mut fresh = bench.store.reader().await.unwrap();
    let error = fresh.page(&Filter::all(), cursor, 10).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Foreign, "{error}");
}

#[tokio::test]
async fn a_subscription_goes_on_over_a_crash_behind_the_last_event_it_delivered() {
    let mut bench = Bench::alone(&[]).await;
    let mut subscription = bench.store.subscribe(Filter::all());
    let mut seen = Vec::new();
    for crash in 1..=3 {
        let many = request([noted_many("note-a", Expected::Any, crash, 3)]);
        bench.store.append(&many).await.unwrap();
        while seen.len() < crash as usize * 3 {
            match subscription.next().await {
                Ok(page) => seen.extend(page.events.iter().map(label)),
                Err(error) => assert!(error.is_retryable(), "{error}"),
            }
        }
        bench.crash().await;
    }
    let expected: Vec<_> = (1..=9).map(|n| format!("note-a@{n}")).collect();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn an_event_type_is_flushed_before_anybody_knows_its_id() {
    let mut bench = Bench::alone(&[("synchronous_commit", "off")]).await;
    let mut session = bench.session().await;
    let ids = "select t.name, t.id from foldlog.event_type t";
    run(&mut session, "select foldlog.event_type_register_1(null, 'note', '{Early}', '{1}')").await;
    let known = names(&mut session, ids).await;
    bench.crash().await;
    let mut session = bench.session().await;
    run(&mut session, "select foldlog.event_type_register_1(null, 'note', '{Late}', '{1}')").await;
    let after = names(&mut session, ids).await;
    assert_eq!(after.len(), known.len() + 1);
    assert!(known.is_subset(&after), "{known:?} was known, and {after:?} is there");
}

async fn names(session: &mut sqlx::PgConnection, sql: &'static str) -> BTreeSet<(String, i32)> {
    let rows = sqlx::raw_sql(sql).fetch_all(session).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

#[tokio::test]
async fn a_condition_from_before_a_crash_does_not_pass_by_what_was_given_its_positions_again() {
    let query = Query::of::<Note>();
    let (bench, (settled, condition)) = set_back_behind(async |bench| {
        let settled = settled::settled(&mut bench.session().await, 0, Position::START).await;
        let (tenant, all) = (Tenant::default(), Position::START);
        let condition = bench.store.read_matching(&tenant, &query, all, |_, _| Ok(())).await;
        (settled.unwrap(), condition.unwrap())
    })
    .await;
    assert_eq!(settled, Position::new(41));
    let early = bench.append("note-b", Expected::Any, 1).await;
    // Then the log passes what the condition names, by draws of which nothing comes.
    run(
        &mut bench.session().await,
        "begin;
        select foldlog.bound_1(0);
        select nextval('foldlog.event_position') from generate_series(1, 60);
        commit",
    )
    .await;
    let decision = request([noted_many("note-c", Expected::Any, 1, 1)]);
    let result = bench.store.append(&decision.condition(condition).unwrap()).await;
    let Err(AppendError::ConditionFailed { position }) = result else { panic!("{result:?}") };
    assert_eq!(position, early.token.position());
}
