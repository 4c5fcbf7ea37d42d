//! Event types: ids that nobody's seed foretells, and ids that a process remembers in vain.

use foldlog_core::{ErrorKind, Expected};
use foldlog_eventstore::{Request, StreamEvents};
use sqlx::{PgConnection, Row};

use crate::support::{Bench, event, failure, name, number, request, run};

/// An append of events of these types to one stream.
fn of_types(stream: &str, kinds: &[&'static str]) -> Request {
    let events = kinds.iter().map(|kind| event(kind, "1")).collect();
    request([StreamEvents::raw(name(stream), Expected::Any, events)])
}

/// The types of all events, as the database names them.
async fn kinds(session: &mut PgConnection) -> Vec<String> {
    let sql = "select t.name from foldlog.event e join foldlog.event_type t on t.id = e.type_id
        order by e.position";
    let rows = sqlx::raw_sql(sql).fetch_all(session).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn a_session_that_repeats_its_random_numbers_gives_each_type_an_id_of_its_own() {
    let bench = Bench::new().await;
    let mut session = bench.session().await;
    for kind in ["First", "Second", "Third"] {
        // As a test or a sampler does that wants the same numbers again.
        run(&mut session, "select setseed(0.5); begin").await;
        bench.store.append_in(&mut session, &of_types("note-a", &[kind])).await.unwrap();
        run(&mut session, "commit").await;
    }
    assert_eq!(kinds(&mut session).await, ["First", "Second", "Third"]);
}

#[tokio::test]
async fn an_id_that_is_taken_is_drawn_again() {
    let bench = Bench::new().await;
    let mut session = bench.session().await;
    // Every number is drawn three times; 1 to 3 are taken.
    run(
        &mut session,
        "create sequence draws;
        alter table foldlog.event_type
            alter column id set default (nextval('public.draws') + 2) / 3;
        insert into foldlog.event_type (id, category_id, name)
        select n, (select id from foldlog.category), 'taken ' || n from generate_series(1, 3) n",
    )
    .await;
    bench.store.append(&of_types("note-a", &["One", "Two", "Three", "One"])).await.unwrap();
    assert_eq!(kinds(&mut session).await, ["One", "Two", "Three", "One"]);
    let known = "select count(*) from foldlog.event_type where id between 4 and 6";
    assert_eq!(number(&mut session, known).await, 3);
}

#[tokio::test]
async fn drawn_ids_are_positive_and_far_apart() {
    let bench = Bench::new().await;
    let mut session = bench.session().await;
    run(
        &mut session,
        "select foldlog.event_type_register_1(null, 'many', array_agg('T' || n), array_agg(1))
        from generate_series(1, 500) n",
    )
    .await;
    let low = number(&mut session, "select min(id)::bigint from foldlog.event_type").await;
    let high = number(&mut session, "select max(id)::bigint from foldlog.event_type").await;
    // 500 draws of the whole range reach into its lowest and its highest tenth.
    assert!((1..214_748_364).contains(&low), "{low}");
    assert!((1_932_735_283..=2_147_483_647).contains(&high), "{high}");
}

#[tokio::test]
async fn a_type_that_is_given_no_id_is_named_as_the_stores_fault() {
    let bench = Bench::new().await;
    run(
        &mut bench.session().await,
        "create or replace function foldlog.event_type_register_1(
            wait_ms integer, in_category text, of_names text[], of_versions integer[]
        ) returns table (name text, schema_version integer, id integer)
        language sql as $$ select n, 1, 7 from unnest(of_names) n where n <> 'Lost' $$",
    )
    .await;
    let error = failure(bench.store.append(&of_types("note-a", &["Other", "Lost"])).await);
    assert_eq!(error.kind(), ErrorKind::Internal, "{error}");
    assert!(error.to_string().contains("Lost"), "{error}");
}

#[tokio::test]
async fn lost_types_are_made_again_once_where_all_appends_are_in_transactions() {
    let bench = Bench::new().await;
    let mut session = bench.session().await;
    bench.store.append(&of_types("note-a", &["Lost"])).await.unwrap();
    bench.store.append(&of_types("memo-a", &["Gone"])).await.unwrap();
    // As a standby that was promoted has it, which these did not come over to.
    run(
        &mut session,
        "set foldlog.unguarded = 'on';
        delete from foldlog.event where true;
        delete from foldlog.stream where name in ('note-a', 'memo-a');
        delete from foldlog.event_type where name in ('Lost', 'Gone');
        delete from foldlog.category where name = 'memo'",
    )
    .await;
    let both = || {
        let part =
            |stream, kind| StreamEvents::raw(name(stream), Expected::Any, vec![event(kind, "1")]);
        request([part("note-a", "Lost"), part("memo-a", "Gone")])
    };
    let mut tx = bench.begun().await;
    let error = failure(bench.store.append_in(&mut tx, &both()).await);
    assert_eq!(error.kind(), ErrorKind::Retry, "{error}");
    run(&mut tx, "rollback").await;
    // The process knows them now, and does not ask again, however often transactions are undone.
    run(&mut session, "drop function foldlog.event_type_register_1").await;
    for end in ["rollback", "rollback", "commit"] {
        run(&mut tx, "begin").await;
        bench.store.append_in(&mut tx, &both()).await.unwrap();
        run(&mut tx, end).await;
    }
    assert_eq!(kinds(&mut session).await, ["Lost", "Gone"]);
}

#[tokio::test]
async fn who_appends_by_hand_under_a_type_that_is_not_there_is_told_to_register_it() {
    let bench = Bench::new().await;
    let mut session = bench.session().await;
    for stream in ["note-a", "unknown-a"] {
        // Number 0 is never drawn.
        let error = sqlx::query(
            "select foldlog.append_1(null, '{\"\"}', array[gen_random_uuid()], '{h}', '{null}',
                '{1}', array[$1], '{-2}', '{1}', array[gen_random_uuid()], '{0}', '{1}', '{null}',
                null, null, null, null, null, null)",
        )
        .bind(stream)
        .execute(&mut session)
        .await
        .unwrap_err();
        let error = error.into_database_error().unwrap();
        assert_eq!(error.code().unwrap(), "FL007", "{stream}: {error}");
        let hint = error.downcast::<sqlx::postgres::PgDatabaseError>().hint().unwrap().to_owned();
        assert!(hint.contains("Register") && hint.contains("event_type_register_1"), "{hint}");
    }
}
