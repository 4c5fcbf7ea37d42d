//! Event views brought into a database, and changed there.

use foldlog::ErrorKind;
use foldlog::prelude::*;
use foldlog::schema::EventViews;
use foldlog_testkit::{Audit, TestDatabase, sweep};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _};

use super::{ClientEvent, views};
use crate::bank::{account, database};

fn integer(name: &str) -> Value {
    json!({"properties": {name: {"type": "integer", "format": "int64"}}})
}

async fn run(database: &TestDatabase, statements: &str) {
    sqlx::raw_sql(AssertSqlSafe(statements)).execute(database.pool()).await.unwrap();
}

/// The names of the views of a schema, with the ids that they have until they are made anew.
async fn standing(database: &TestDatabase, schema: &str) -> Vec<(String, i64)> {
    let query = "select c.relname::text, c.oid::bigint from pg_class c
        join pg_namespace n on n.oid = c.relnamespace
        where n.nspname = $1 and c.relkind = 'v' order by 1";
    sqlx::query_as(query).bind(schema).fetch_all(database.pool()).await.unwrap()
}

#[tokio::test]
async fn views_that_stand_as_they_are_to_be_are_left_alone() {
    let database = database().await;
    let db = database.db();
    let first = EventViews::new().event("a", "One", &integer("x")).event("a", "Two", &Value::Null);
    first.install(&db).await.unwrap();
    let before = standing(&database, "foldlog_views").await;
    assert_eq!(before.iter().map(|(name, _)| &**name).collect::<Vec<_>>(), ["a_one", "a_two"]);
    first.install(&db).await.unwrap();
    assert_eq!(standing(&database, "foldlog_views").await, before);
    // One has changed, one is new, and one is of another program.
    let second =
        EventViews::new().event("a", "One", &integer("y")).event("b", "Three", &Value::Null);
    second.install(&db).await.unwrap();
    let after = standing(&database, "foldlog_views").await;
    assert_eq!(
        after.iter().map(|(name, _)| &**name).collect::<Vec<_>>(),
        ["a_one", "a_two", "b_three"]
    );
    assert_ne!(after[0], before[0]);
    assert_eq!(after[1], before[1]);
    run(&database, "select y from foldlog_views.a_one").await;
}

#[tokio::test]
async fn the_text_may_be_run_again_and_makes_the_same() {
    let database = database().await;
    let views = views().in_schema("it's \"mine\"");
    for _ in 0..2 {
        run(&database, &views.sql().unwrap()).await;
    }
    let before = standing(&database, "it's \"mine\"").await;
    assert_eq!(before.len(), 9);
    views.install(&database.db()).await.unwrap();
    assert_eq!(standing(&database, "it's \"mine\"").await, before);
    run(&database, "select * from foldlog.event").await;
}

#[tokio::test]
async fn a_view_that_something_stands_on_is_not_taken_from_under_it() {
    let database = database().await;
    let db = database.db();
    EventViews::new().event("a", "One", &integer("x")).install(&db).await.unwrap();
    run(&database, "create view public.mine as select x from foldlog_views.a_one").await;
    let changed = EventViews::new().event("a", "One", &integer("y"));
    let error = changed.install(&db).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Setup);
    assert!(error.to_string().contains("stands on it"), "{error}");
    run(&database, "select x from public.mine; drop view public.mine").await;
    changed.install(&db).await.unwrap();
}

#[tokio::test]
async fn a_view_of_somebody_else_is_left_to_him() {
    let database = database().await;
    run(&database, "create schema mine; create view mine.a_one as select 7 as x").await;
    let views = EventViews::new().in_schema("mine").event("a", "One", &integer("x"));
    let error = views.install(&database.db()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Setup);
    assert!(error.to_string().starts_with("mine.a_one is a view that foldlog did not make"));
    run(&database, "select 1 / (x - 6) from mine.a_one").await;
}

#[tokio::test]
async fn a_reader_sees_the_events_of_the_views_and_nothing_else() {
    let database = database().await;
    let app = App::builder(database.db()).start().await.unwrap();
    let role = format!("reader_{}", uuid::Uuid::new_v4().simple());
    run(&database, &format!("create role {role}")).await;
    let two = [ClientEvent::Counted(Some(7)), ClientEvent::Renamed("secret".into())];
    app.append([any(&account("ada"), two.to_vec())]).await.unwrap();
    let counted = json!({"type": "integer", "format": "int64"});
    let views = EventViews::new().event("client", "Counted", &counted).readable_by(&role);
    views.install(&database.db()).await.unwrap();

    let mut conn = database.db().session("test").await.unwrap();
    let mut tx = conn.begin().await.unwrap();
    let prepare = format!(
        "create function pg_temp.seen(json) returns boolean language plpgsql cost 0.0001 as
            $$ begin if $1::text = '\"secret\"' then raise 'seen'; end if; return true; end $$;
        set local role {role}"
    );
    sqlx::raw_sql(AssertSqlSafe(prepare)).execute(&mut *tx).await.unwrap();
    // A condition of the reader's own is not asked about what the view leaves out.
    let query = "select value from foldlog_views.client_counted where pg_temp.seen(payload)";
    let found: Vec<i64> = sqlx::query_scalar(query).fetch_all(&mut *tx).await.unwrap();
    assert_eq!(found, [7]);
    let refused = sqlx::query("select * from foldlog.event").execute(&mut *tx).await.unwrap_err();
    assert_eq!(refused.as_database_error().unwrap().code().unwrap(), "42501");
    tx.rollback().await.unwrap();
    run(&database, &format!("drop owned by {role}; drop role {role}")).await;
}

#[tokio::test]
async fn long_and_equal_names_stay_apart() {
    let database = database().await;
    let long = "L".to_owned() + &"ong".repeat(40);
    let properties = json!({"properties": {
        "ownerName": {"type": "string"}, "owner_name": {"type": "string"}, &long: {"type": "string"},
        &format!("{long}er"): {"type": "string"},
    }});
    let mut views = EventViews::new()
        .event("a_b", "c", &properties)
        .event("a", "b_c", &properties)
        .event("a", &long, &properties)
        .event("a", &format!("{long}er"), &properties);
    for n in 0..300 {
        views = views.event("many", &format!("Type{n}"), &integer("x"));
    }
    views.install(&database.db()).await.unwrap();
    let standing = standing(&database, "foldlog_views").await;
    assert_eq!(standing.len(), 304);
    assert!(standing.iter().any(|(name, _)| name == "a_b_c"));
    let columns = "select count(*) from pg_attribute
        where attrelid = 'foldlog_views.a_b_c'::regclass and attnum > 0";
    let columns: i64 = sqlx::query_scalar(columns).fetch_one(database.pool()).await.unwrap();
    assert_eq!(columns, 12 + 4);
}

#[test]
fn names_that_cant_be_are_refused_when_the_text_is_asked_for() {
    for (views, named) in [
        (views().in_schema("foldlog"), "foldlog"),
        (views().in_schema("pg_mine"), "pg_mine"),
        (views().in_schema(""), "schema"),
        (views().readable_by("a\0"), "role"),
        (views().event("a-b", "One", &Value::Null), "a-b"),
    ] {
        let error = views.sql().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains(named), "{error}");
    }
}

#[tokio::test]
async fn a_dropped_installation_is_done_or_not_done() {
    let database = database().await;
    let (db, mut audit) = (database.narrow().await, Audit::of(&database).await);
    sweep("EventViews::install", async |cut| {
        run(&database, "drop schema if exists foldlog_views cascade").await;
        let installed = cut.of(views().install(&db)).await.map(Result::unwrap);
        audit.nothing_left_in(&db).await;
        let count = standing(&database, "foldlog_views").await.len();
        assert!(count == 0 || count == 9, "{count} views at {cut:?}");
        installed.is_some()
    })
    .await;
}

#[tokio::test]
async fn a_role_that_may_not_change_the_schema_starts_while_there_is_nothing_to_change() {
    let database = database().await;
    App::builder(database.db()).event_views(views()).start().await.unwrap();
    let role = format!("program_{}", uuid::Uuid::new_v4().simple());
    let grants = format!(
        "create role {role}; grant usage on schema foldlog to {role};
        grant execute on all functions in schema foldlog to {role};
        grant select on foldlog.migration, foldlog.store, foldlog.category, foldlog.event_type,
            foldlog.projection, foldlog.checkpoint to {role}"
    );
    run(&database, &grants).await;
    let sign = if database.url().contains('?') { '&' } else { '?' };
    let url = format!("{}{sign}options=-c%20role%3D{role}", database.url());
    let db = Db::connect(&url).await.unwrap();
    let who: String =
        sqlx::query_scalar("select current_user::text").fetch_one(db.pool()).await.unwrap();
    assert_eq!(who, role);
    let app = App::builder(db.clone()).event_views(views()).start().await.unwrap();
    let more = views().event("a", "One", &Value::Null).install(&db).await.unwrap_err();
    assert_eq!(more.kind(), ErrorKind::Setup, "{more}");
    app.shutdown().await.unwrap();
    db.close().await;
    run(&database, &format!("drop owned by {role}; drop role {role}")).await;
}
