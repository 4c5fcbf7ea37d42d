//! What is stored is never changed: not by whoever may write to the tables, nor by the owner in passing.

use foldlog_core::Expected::Any;
use uuid::Uuid;

use crate::support::{Bench, name, noted, number, refused, request, run};

/// Everything that would change or take away what is stored.
const CHANGES: [&str; 17] = [
    "update foldlog.event set payload = '0'",
    "update foldlog.event set version = 9 where false",
    "delete from foldlog.event",
    "truncate foldlog.event",
    "update foldlog.event_000000 set payload = '0'",
    "delete from foldlog.event_000000",
    "truncate foldlog.event_000000",
    "delete from foldlog.event_000008",
    "delete from foldlog.event_tag",
    "update foldlog.event_tag_000000 set tag = 'a'",
    "update foldlog.receipt set reply = '0'",
    "delete from foldlog.receipt",
    "truncate foldlog.receipt",
    "update foldlog.stream_mark set reason = 'none'",
    "delete from foldlog.stream_mark",
    "delete from foldlog.stream",
    "truncate foldlog.stream, foldlog.stream_mark",
];

async fn bench() -> Bench {
    let bench = Bench::new().await;
    bench.store.append(&request([noted("note-a", Any, 1)]).id(Uuid::now_v7())).await.unwrap();
    bench.store.archive(&name("note-a"), "x").await.unwrap();
    let mut session = bench.session().await;
    // A segment that is made later is guarded as well.
    run(&mut session, "select setval('foldlog.event_position', 65536 * 7)").await;
    run(&mut session, "select foldlog.segment_ensure_1(0)").await;
    bench
}

#[tokio::test]
async fn nothing_stored_is_changed_even_by_the_owner_or_as_a_replica() {
    let bench = bench().await;
    let mut session = bench.session().await;
    for setting in
        ["set session_replication_role = 'origin'", "set session_replication_role = 'replica'"]
    {
        run(&mut session, setting).await;
        for change in CHANGES {
            assert_eq!(refused(&mut session, change).await, "FL020", "{change}, {setting}");
        }
    }
    let rows = "select (select count(*) from foldlog.event where payload::text = '1')
        + (select count(*) from foldlog.receipt) + (select count(*) from foldlog.stream_mark)";
    assert_eq!(number(&mut session, rows).await, 3);
}

#[tokio::test]
async fn an_owner_who_says_so_can_and_nobody_else() {
    let bench = bench().await;
    let mut session = bench.session().await;
    // Somebody was granted everything; that is still not ownership.
    run(
        &mut session,
        "do $$ begin
            if to_regrole('foldlog_test_stranger') is null then
                create role foldlog_test_stranger;
            end if;
        exception when duplicate_object or unique_violation then null;
        end $$;
        grant usage on schema foldlog to foldlog_test_stranger;
        grant all on all tables in schema foldlog to foldlog_test_stranger;
        set role foldlog_test_stranger;
        set foldlog.unguarded = 'on'",
    )
    .await;
    for change in &CHANGES[..15] {
        let state = refused(&mut session, change).await;
        assert_eq!(state, "FL020", "{change}");
    }
    for trick in [
        "alter table foldlog.event disable trigger keep_guard",
        "alter table foldlog.event_000000 disable trigger all",
        "drop table foldlog.event_000000",
        "alter table foldlog.event detach partition foldlog.event_000000",
        "create or replace function foldlog.keep_guard() returns trigger language plpgsql
            as 'begin return null; end'",
        "set session_replication_role = 'replica'",
    ] {
        assert_eq!(refused(&mut session, trick).await, "42501", "{trick}");
    }
    run(&mut session, "reset role").await;
    run(&mut session, "update foldlog.event set metadata = '{}'").await;
    run(&mut session, "drop owned by foldlog_test_stranger").await;
}
