//! Conditions at their edges: a settled position that steps back, logs that end earlier, arguments
//! written by hand.

use foldlog_core::{ErrorKind, Expected, Position, Tenant};
use foldlog_eventstore::{Condition, StreamEvents};
use foldlog_testkit::wait_until;
use tokio_util::sync::CancellationToken;

use super::{condition, on, overtaken, query, tagged};
use crate::support::{Bench, PATIENCE, failure, name, noted, noted_many, number, request, run};

#[tokio::test]
async fn a_settled_position_that_steps_back_doubles_no_event_of_a_decision() {
    let bench = Bench::new().await;
    for _ in 0..5 {
        bench.store.append(&request([tagged("note-a", &["seat:1"])])).await.unwrap();
    }
    // A writer reads its bound, and only then publishes it: whoever asked in between was answered a
    // higher settled position than whoever asks now.
    let mut late = bench.begun().await;
    run(&mut late, "select pg_advisory_xact_lock_shared(foldlog.lock_key(1, 0, 1))").await;
    let mut taken = Vec::new();
    let take = |raw: &foldlog_core::RawEvent, _: &[usize]| {
        taken.push(raw.position().get());
        Ok(())
    };
    let (tenant, query) = (Tenant::default(), query(&["seat:1"]));
    let read = bench.store.read_matching(&tenant, &query, Position::new(3), take);
    let condition = read.await.unwrap();
    assert_eq!(taken, [4, 5]);
    bench.store.append(&on(&condition, [tagged("note-b", &[])])).await.unwrap();
}

#[tokio::test]
async fn a_condition_of_a_log_that_was_longer_fails_alone_in_a_group() {
    let bench = Bench::new().await;
    // By more than what is appended below, or it would be ahead no longer.
    bench.store.append(&request([noted_many("note-a", Expected::Any, 0, 100)])).await.unwrap();
    let ahead = condition(&bench, &["seat:1"]).await;
    let mut session = bench.session().await;
    run(
        &mut session,
        "set foldlog.unguarded = 'on'; delete from foldlog.event;
         select setval('foldlog.event_position', 2)",
    )
    .await;
    assert!(condition(&bench, &["seat:1"]).await.settled() < ahead.settled());
    fails_alone_in_a_group(&bench, &ahead, ErrorKind::Foreign).await;
}

/// Appends on conditions read now, and one on an old one among them, in calls that they share.
async fn fails_alone_in_a_group(bench: &Bench, old: &Condition, kind: ErrorKind) {
    let mut session = bench.session().await;
    let shutdown = CancellationToken::new();
    let (store, token) = (bench.store.clone(), shutdown.clone());
    let running = tokio::spawn(async move { store.run(token).await });
    let sql = "select count(*) from pg_stat_activity
        where datname = current_database() and application_name = 'foldlog append'";
    wait_until(PATIENCE, async || {
        let empty = request([StreamEvents::raw(name("note-e"), Expected::Any, Vec::new())]);
        bench.store.append(&empty).await.unwrap();
        number(&mut session, sql).await > 0
    })
    .await;
    // On one tag that none of them writes, so that they share a line, and a call.
    let now = condition(bench, &["seat:1"]).await;
    let pending: Vec<_> = (0..20)
        .map(|n| {
            let events = noted(&format!("note-{n}"), Expected::Any, n);
            bench.appending(on(if n == 7 { old } else { &now }, [events]))
        })
        .collect();
    // They gather: this runtime has one thread.
    for (n, result) in pending.into_iter().enumerate() {
        let result = result.await.unwrap();
        match n {
            7 => assert_eq!(failure(result).kind(), kind),
            _ => drop(result.unwrap()),
        }
    }
    shutdown.cancel();
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_condition_against_which_nothing_could_ever_stand_is_refused() {
    let bench = Bench::new().await;
    bench.append("note-a", Expected::Any, 1).await;
    let mut session = bench.session().await;
    for (types, tags, seen, code) in [
        ("null", "''", "null", "FL006"),
        ("null", "e'a:1\\x1f'", "null", "FL006"),
        ("null", "e'a:1\\x1f\\x1fb:1'", "null", "FL006"),
        ("''", "'a:1'", "null", "FL006"),
        ("null", "'a:1'", "'{1,null}'", "FL006"),
        // An event that is written later would pass for one that was seen.
        ("null", "'a:1'", "'{1,9}'", "FL003"),
    ] {
        let sql = format!(
            "select foldlog.append_1(0, '{{\"\"}}', array[gen_random_uuid()], '{{x}}', '{{null}}', \
             '{{1}}', '{{note-a}}', '{{-2}}', '{{}}', '{{}}', '{{}}', '{{}}', '{{}}', null, \
             '{{1}}', array[{types}]::text[], array[{tags}]::text[], '{{0}}', array[{seen}]::text[])"
        );
        let error = sqlx::raw_sql(sqlx::AssertSqlSafe(sql.clone())).execute(&mut session).await;
        let error = error.expect_err(&sql);
        assert_eq!(error.as_database_error().unwrap().code().unwrap(), code, "{error} in {sql}");
    }
}

#[tokio::test]
async fn a_condition_from_before_a_drop_is_refused_and_one_read_after_it_holds() {
    let bench = Bench::new().await;
    bench.append("note-a", Expected::Any, 1).await;
    let before = condition(&bench, &["seat:1"]).await;
    for n in 2..10 {
        bench.append("note-a", Expected::Any, n).await;
    }
    // As a drop announces itself: what it takes may have stood against the condition.
    let mut session = bench.session().await;
    run(&mut session, "update foldlog.log set kept_from = 6 where number = 0").await;
    let error = failure(bench.store.append(&on(&before, [tagged("note-b", &[])])).await);
    assert_eq!(error.kind(), ErrorKind::Truncated, "{error}");
    let now = condition(&bench, &["seat:1"]).await;
    bench.store.append(&on(&now, [tagged("note-b", &[])])).await.unwrap();
    fails_alone_in_a_group(&bench, &before, ErrorKind::Truncated).await;
}

#[tokio::test]
async fn a_boundary_follows_no_default_isolation_level_of_the_database() {
    let bench = Bench::new().await;
    let store = bench.serializable_by_default().await;
    let (tenant, query) = (Tenant::default(), query(&["seat:1"]));
    let mut seen = 0;
    let mut take = |_: &_, _: &[usize]| {
        seen += 1;
        Ok(())
    };
    let old = store.read_matching(&tenant, &query, Position::START, &mut take).await.unwrap();
    let first = on(&old, [tagged("note-a", &["seat:1"])]);
    let first = store.append(&first).await.unwrap();
    let late = store.append(&on(&old, [tagged("note-b", &["seat:1"])])).await;
    assert_eq!(overtaken(late), first.token.position().get());
    let now = store.read_matching(&tenant, &query, Position::START, &mut take).await.unwrap();
    store.append(&on(&now, [tagged("note-b", &["seat:1"])])).await.unwrap();
    assert_eq!(seen, 1);
}
