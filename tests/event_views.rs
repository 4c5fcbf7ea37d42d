//! Event views: what is stored, as a reader of SQL sees it.

use std::collections::BTreeMap;

use foldlog::prelude::*;
use foldlog::schema::EventViews;
use foldlog::{Encoded, Request, StreamEvents};
use foldlog_testkit::TestDatabase;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::{AssertSqlSafe, Row as _};
use uuid::Uuid;

use crate::bank::{AccountId, account};

mod installed;

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Address {
    city: String,
    house_number: Option<u32>,
}

/// A part that holds itself.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
struct Tree {
    leaf: String,
    below: Vec<Tree>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
enum Grade {
    /// So that schemars writes it as a branch of its own.
    Gold,
    Silver,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "by")]
enum Payment {
    Card { last_four: String, cents: i64 },
    Cash { cents: i64 },
}

#[derive(Event, Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[event(category = "client", id = AccountId)]
enum ClientEvent {
    Registered {
        name: String,
        reference: Uuid,
        grade: Option<Grade>,
        visits: u64,
        score: f64,
        is_vip: bool,
        address: Address,
        tags: Vec<String>,
        // Names of columns that every event view has, and a word of SQL.
        version: i64,
        payload: String,
        select: i64,
    },
    Moved(Address),
    Renamed(String),
    Counted(Option<i64>),
    Located(f64, f64),
    Planted(Tree),
    Paid(Payment),
    #[serde(rename = "x'; drop table foldlog.event; --\"\\")]
    Strange {
        #[serde(rename = "it's \"quoted\" \\ and -- more")]
        odd: i64,
    },
    Closed,
}

fn views() -> EventViews {
    EventViews::new().events::<ClientEvent>()
}

/// A database with the views, and an app over it.
async fn bench() -> (TestDatabase, App) {
    let database = crate::bank::database().await;
    let app = App::builder(database.db()).event_views(views()).start().await.unwrap();
    (database, app)
}

fn registered() -> ClientEvent {
    ClientEvent::Registered {
        name: "Ada \"Countess\" O'Byron".into(),
        reference: Uuid::from_u128(7),
        grade: Some(Grade::Gold),
        visits: u64::MAX,
        score: 0.25,
        is_vip: true,
        address: Address { city: "London".into(), house_number: None },
        tags: vec!["a".into(), "b".into()],
        version: i64::MIN,
        payload: "mine".into(),
        select: 3,
    }
}

/// The rows of a query, each as JSON.
async fn rows(database: &TestDatabase, query: &str) -> Vec<serde_json::Value> {
    let query = format!("select row_to_json(r)::text from ({query}) r");
    let rows = sqlx::query(AssertSqlSafe(query)).fetch_all(database.pool()).await.unwrap();
    rows.iter().map(|row| serde_json::from_str(row.get(0)).unwrap()).collect()
}

#[test]
fn the_text_of_event_views_is_this() {
    let text = views().readable_by("reporting").sql().unwrap();
    let casts = text.find("create or replace").unwrap();
    let first = text.find("drop view").unwrap();
    // The mark of a comment changes with the definition, which is compared itself.
    let lines = [&text[..casts], &text[first..]].concat();
    let lines = lines.lines().map(|line| line.split(" (foldlog ").next().unwrap());
    let golden: Vec<&str> = include_str!("event_views/golden.sql").lines().collect();
    assert_eq!(lines.collect::<Vec<_>>(), golden);
    assert_eq!(views().sql().unwrap(), views().sql().unwrap());
}

/// What is the same in each row, out of it.
fn own(mut row: serde_json::Value) -> serde_json::Value {
    let fixed = ["tenant", "stream", "stream_key", "version", "position", "recorded_at"];
    let more = ["event_id", "correlation_id", "causation_id", "schema_version", "metadata"];
    for name in fixed.iter().chain(&more).chain(&["payload"]) {
        row.as_object_mut().unwrap().remove(*name).unwrap();
    }
    row
}

#[tokio::test]
async fn an_event_view_shows_what_is_stored() {
    let (database, app) = bench().await;
    let ada = account("ada-b");
    let events = [
        registered(),
        ClientEvent::Moved(Address { city: "Paris".into(), house_number: Some(5) }),
        ClientEvent::Renamed("Ada L.".into()),
        ClientEvent::Counted(Some(7)),
        ClientEvent::Located(1.5, -2.0),
        ClientEvent::Planted(Tree { leaf: "a".into(), below: Vec::new() }),
        ClientEvent::Paid(Payment::Card { last_four: "4242".into(), cents: 9 }),
        ClientEvent::Strange { odd: 11 },
        ClientEvent::Closed,
        ClientEvent::Counted(None),
    ];
    let key = Uuid::from_u128(9);
    let metadata = Metadata::new().correlation("visit 7").causation(key.to_string());
    let red = app.tenant(Tenant::new("red").unwrap());
    let done = red.append([any(&ada, events.to_vec())]).metadata(metadata).await.unwrap();
    app.append([any(&account("bob"), ClientEvent::Counted(Some(-1)))]).await.unwrap();

    let all = async |view: &str| {
        rows(&database, &format!("select * from foldlog_views.{view} order by position")).await
    };
    let registered = all("client_registered").await.remove(0);
    assert_eq!(registered["tenant"], "red");
    assert_eq!(registered["stream"], "client-ada-b");
    assert_eq!(registered["stream_key"], "ada-b");
    assert_eq!((&registered["version"], &registered["schema_version"]), (&json!(1), &json!(1)));
    assert_eq!(registered["correlation_id"], "visit 7");
    assert_eq!(registered["causation_id"], key.to_string());
    assert_eq!(registered["metadata"]["correlation_id"], "visit 7");
    assert_eq!(registered["payload"]["payload"], "mine");
    let stored = app.store().read_stream(&done.streams[0].stream, 0, 1).await.unwrap();
    assert_eq!(registered["event_id"], stored.events[0].id.to_string());
    assert_eq!(registered["position"], stored.events[0].position().get());
    assert_eq!(
        own(registered),
        json!({
            "name": "Ada \"Countess\" O'Byron", "reference": Uuid::from_u128(7), "grade": "Gold",
            "visits": u64::MAX, "score": 0.25, "is_vip": true,
            "address": {"city": "London", "houseNumber": null}, "tags": ["a", "b"],
            "payload_version": i64::MIN, "payload_payload": "mine", "select": 3,
        })
    );
    for (view, expected) in [
        ("client_moved", json!([{"city": "Paris", "house_number": 5}])),
        ("client_renamed", json!([{"value": "Ada L."}])),
        ("client_counted", json!([{"value": 7}, {"value": null}, {"value": -1}])),
        ("client_located", json!([{"value": [1.5, -2.0]}])),
        ("client_planted", json!([{"leaf": "a", "below": []}])),
        ("client_paid", json!([{"by": "Card", "last_four": "4242", "cents": 9}])),
        ("client_x_drop_table_foldlog_event", json!([{"it_s_quoted_and_more": 11}])),
        ("client_closed", json!([{}])),
    ] {
        let found: Vec<_> = all(view).await.into_iter().map(own).collect();
        assert_eq!(json!(found), expected, "{view}");
    }
}

#[tokio::test]
async fn columns_have_the_types_of_the_schema() {
    let (database, _app) = bench().await;
    let query = "select a.attname::text, format_type(a.atttypid, a.atttypmod)
        from pg_attribute a where a.attrelid = 'foldlog_views.client_registered'::regclass";
    let rows = sqlx::query(query).fetch_all(database.pool()).await.unwrap();
    let types: BTreeMap<String, String> = rows.iter().map(|r| (r.get(0), r.get(1))).collect();
    for (column, expected) in [
        ("position", "bigint"),
        ("recorded_at", "timestamp with time zone"),
        ("event_id", "uuid"),
        ("name", "text"),
        ("reference", "uuid"),
        ("grade", "text"),
        ("visits", "numeric"),
        ("score", "double precision"),
        ("is_vip", "boolean"),
        ("address", "json"),
        ("payload_version", "bigint"),
    ] {
        assert_eq!(types[column], expected, "{column}");
    }
}

/// What a program of another time has stored.
async fn store(app: &App, kind: &'static str, payload: &str) {
    let name = StreamName::parse(&Tenant::default(), "old-1").unwrap();
    let payload = serde_json::value::RawValue::from_string(payload.to_owned()).unwrap();
    let event =
        StreamEvents::raw(name, Expected::Any, vec![Encoded { kind, payload, tags: Vec::new() }]);
    app.store().append(&Request::new([event]).unwrap()).await.unwrap();
}

#[tokio::test]
async fn an_event_of_another_shape_shows_nothing_in_the_column_and_hides_no_other() {
    let database = crate::bank::database().await;
    let string = |format: &str| json!({"type": "string", "format": format});
    let schema = json!({"type": "object", "properties": {
        "big": {"type": "integer", "format": "int64"}, "huge": {"type": "integer", "format": "uint64"},
        "real": {"type": "number"}, "yes": {"type": "boolean"}, "id": string("uuid"),
        "day": string("date"), "at": string("date-time"), "part": {"type": "object"},
        "nul\0": {"type": "string"},
    }});
    let old = EventViews::new().event("old", "Was", &schema);
    let app = App::builder(database.db()).event_views(old).start().await.unwrap();
    let good = json!({
        "big": i64::MAX, "huge": u64::MAX, "real": f64::MAX, "yes": false, "id": Uuid::from_u128(7),
        "day": "2024-02-29", "at": "2026-10-25T01:30:00.25+02:00", "part": {"a": 1},
    });
    store(&app, "Was", &good.to_string()).await;
    let nothing = [
        r#"null"#.to_owned(),
        r#"[1, 2]"#.to_owned(),
        r#""text""#.to_owned(),
        json!({"big": "soon", "huge": true, "real": "1e", "yes": 1, "id": 7, "day": [], "at": {}})
            .to_string(),
        json!({"big": u64::MAX, "huge": 1.5, "real": "1e999", "yes": "no", "id": "0-0", "part": null,
            "day": "2023-02-29", "at": "2026-10-25T25:00:00Z"})
        .to_string(),
        json!({"big": 1.5, "huge": "x", "real": "1e-999", "day": "0000-01-01", "at": "today"})
            .to_string(),
        json!({"day": "2026-13-01", "at": "2026-04-31T00:00:00Z", "real": "5e-325"}).to_string(),
    ];
    for payload in &nothing {
        store(&app, "Was", payload).await;
    }
    sqlx::query("set timezone to 'UTC'").execute(database.pool()).await.unwrap();
    let rows = rows(&database, "select * from foldlog_views.old_was order by version").await;
    assert_eq!(rows.len(), nothing.len() + 1);
    let mut expected = good.clone();
    expected["at"] = json!("2026-10-24T23:30:00.25+00:00");
    assert_eq!(own(rows[0].clone()), expected);
    for (row, payload) in rows[1..].iter().zip(&nothing) {
        assert_eq!(
            row["payload"].to_string(),
            serde_json::from_str::<serde_json::Value>(payload).unwrap().to_string()
        );
        let shown = own(row.clone());
        assert!(
            shown.as_object().unwrap().values().all(serde_json::Value::is_null),
            "{payload}: {shown}"
        );
    }
}

#[tokio::test]
async fn nothing_can_be_written_through_an_event_view() {
    let (database, app) = bench().await;
    app.append([any(&account("ada"), ClientEvent::Counted(Some(7)))]).await.unwrap();
    for statement in [
        "insert into foldlog_views.client_counted (stream, value) values ('client-ada', 8)",
        "update foldlog_views.client_counted set version = 8",
        "delete from foldlog_views.client_counted",
    ] {
        let error = sqlx::query(statement).execute(database.pool()).await.unwrap_err();
        let code = error.as_database_error().unwrap().code().unwrap();
        assert_eq!(code, "55000", "{statement}");
    }
}

#[tokio::test]
async fn an_event_view_of_one_stream_reads_by_the_index_of_versions() {
    let (database, app) = bench().await;
    for n in 0..300 {
        let events = vec![ClientEvent::Counted(Some(n)); 10];
        app.append([any(&account(&n.to_string()), events)]).await.unwrap();
    }
    let mut conn = database.pool().acquire().await.unwrap();
    sqlx::query("analyze foldlog.event, foldlog.stream").execute(&mut *conn).await.unwrap();
    let query = "explain select * from foldlog_views.client_counted
        where tenant = '' and stream = 'client-7' and version > 3 order by version";
    let rows = sqlx::query(query).fetch_all(&mut *conn).await.unwrap();
    let plan: String = rows.iter().map(|row| row.get::<String, _>(0) + "\n").collect();
    assert!(plan.contains("stream_tenant_name_key"), "{plan}");
    assert!(plan.contains("_stream_id_version") && plan.contains("version > 3"), "{plan}");
    assert!(!plan.contains("Seq Scan on event_000000"), "{plan}");
    // A range of positions reads no more than that range.
    let query = "explain select * from foldlog_views.client_counted where position between 5 and 9";
    let rows = sqlx::query(query).fetch_all(&mut *conn).await.unwrap();
    let plan: String = rows.iter().map(|row| row.get::<String, _>(0) + "\n").collect();
    assert!(plan.contains("\"position\" >= 5"), "{plan}");
    assert!(!plan.contains("Seq Scan on event_000000"), "{plan}");
}
