//! The append function called as group append will call it: several requests at once.

use serde_json::{Value, json};
use sqlx::{PgConnection, Row};

use crate::support::{Bench, run};

/// The arguments of a call, by the names of its arrays; what is left out is filled in.
async fn call(session: &mut PgConnection, arguments: &Value) -> Result<Vec<Outcome>, sqlx::Error> {
    let rows = sqlx::query(
        "with c as (select $1::jsonb as a)
        select o.request, o.outcome, o.version, o.first_position, o.last_position, o.reply::text
        from c, lateral (select
            (select array_agg(x) from jsonb_array_elements_text(a->'tenant') x) as tenant,
            (select array_agg(x::uuid) from jsonb_array_elements_text(a->'id') x) as id,
            (select array_agg(x::bytea) from jsonb_array_elements_text(a->'hash') x) as hash,
            (select array_agg(x) from jsonb_array_elements_text(a->'reply') x) as reply,
            (select array_agg(x::int) from jsonb_array_elements_text(a->'request') x) as request,
            (select array_agg(x) from jsonb_array_elements_text(a->'name') x) as name,
            (select array_agg(x::bigint) from jsonb_array_elements_text(a->'expected') x) as expected,
            (select array_agg(x::int) from jsonb_array_elements_text(a->'stream') x) as stream,
            (select array_agg(x::uuid) from jsonb_array_elements_text(a->'event') x) as event,
            (select array_agg((select t.id from foldlog.event_type t
                where t.name = 'Noted' and x = '1'))
                from jsonb_array_elements_text(a->'type') x) as type,
            (select array_agg(x) from jsonb_array_elements_text(a->'payload') x) as payload,
            (select array_agg(x) from jsonb_array_elements_text(a->'metadata') x) as metadata
        ) g, lateral foldlog.append_1(null, g.tenant, g.id, g.hash, g.reply, g.request, g.name,
            g.expected, g.stream, g.event, g.type, g.payload, g.metadata, null, null, null, null, null,
            null) o",
    )
    .bind(arguments.to_string())
    .fetch_all(session)
    .await?;
    let row = |row: &sqlx::postgres::PgRow| Outcome {
        request: row.get(0),
        outcome: row.get(1),
        version: row.get(2),
        positions: row.get::<Option<i64>, _>(3).zip(row.get(4)),
        reply: row.get(5),
    };
    Ok(rows.iter().map(row).collect())
}

#[derive(Debug, PartialEq)]
struct Outcome {
    request: i32,
    outcome: i16,
    version: i64,
    positions: Option<(i64, i64)>,
    reply: Option<String>,
}

fn outcome(request: i32, outcome: i16, version: i64, positions: Option<(i64, i64)>) -> Outcome {
    Outcome { request, outcome, version, positions, reply: None }
}

fn id(n: u32) -> String {
    uuid::Uuid::from_u128(n.into()).to_string()
}

#[tokio::test]
async fn each_request_of_a_group_ends_for_itself() {
    let bench = Bench::new().await;
    let mut session = bench.session().await;
    let group = json!({
        "tenant": ["", "", "", "t", ""],
        "id": [id(1), id(2), null, null, id(5)],
        "hash": ["h1", "h2", null, null, "h5"],
        "reply": ["{\"a\" :1}", null, null, null, null],
        "request": [1, 2, 3, 4, 4, 5],
        "name": ["note-a", "note-a", "note-b", "note-a", "note-b", "note-c"],
        "expected": [-2, -2, 4, 0, 0, 0],
        "stream": [1, 2, 1, 3, 4, 5, 5],
        "event": [id(11), id(12), id(13), id(14), id(15), id(16), id(17)],
        "type": [1, 1, 1, 1, 1, 1, 1],
        "payload": ["1", "2", "3", "4", "5", "6", "7"],
        "metadata": [null, null, null, null, null, null, null]
    });
    // Two at whatever version share a stream; the third conflicts; the fourth is another tenant's;
    // the fifth has no events and only checks.
    let answer = call(&mut session, &group).await.unwrap();
    assert_eq!(
        answer,
        [
            outcome(1, 0, 3, Some((1, 3))),
            outcome(2, 0, 2, Some((2, 2))),
            outcome(3, 2, 0, None),
            outcome(4, 0, 1, Some((4, 4))),
            outcome(4, 0, 2, Some((5, 6))),
            outcome(5, 0, 0, None),
        ]
    );
    let payloads: Vec<_> = bench.stream("note-a").await.into_iter().map(|(_, p)| p).collect();
    assert_eq!(payloads, ["1", "2", "3"]);

    // All of it again: who was done is repeated, with the reply of then; who conflicted is judged
    // again; another content under a known id is told.
    let mut again = group.clone();
    again["hash"][1] = json!("other");
    again["reply"][0] = json!("2");
    let answer = call(&mut session, &again).await.unwrap();
    let mut first = outcome(1, 1, 3, Some((1, 3)));
    first.reply = Some("{\"a\" :1}".into());
    assert_eq!(answer[0], first);
    assert_eq!((answer[1].request, answer[1].outcome), (2, 3));
    assert_eq!(answer[2], outcome(3, 2, 0, None));
    assert_eq!(answer[3], outcome(4, 1, 1, Some((4, 4))));
    assert_eq!(answer[4], outcome(4, 1, 2, Some((5, 6))));
    assert_eq!(answer[5], outcome(5, 1, 0, None));
    assert_eq!(bench.all().await.len(), 6);
}

#[tokio::test]
async fn a_group_of_conflicts_draws_no_position() {
    let bench = Bench::new().await;
    let mut session = bench.session().await;
    let group = json!({
        "tenant": ["", ""], "id": [null, null], "hash": [null, null], "reply": [null, null],
        "request": [1, 2], "name": ["note-a", "note-b"], "expected": [3, 9],
        "stream": [1, 2], "event": [id(1), id(2)], "type": [1, 1], "payload": ["1", "2"],
        "metadata": [null, null]
    });
    let answer = call(&mut session, &group).await.unwrap();
    assert!(answer.iter().all(|row| row.outcome == 2), "{answer:?}");
    let last = "select foldlog.log_last(0)";
    assert_eq!(crate::support::number(&mut session, last).await, 0);
}

#[tokio::test]
async fn arguments_that_do_not_fit_each_other_are_refused() {
    let bench = Bench::new().await;
    let mut session = bench.session().await;
    let good = json!({
        "tenant": ["", ""], "id": [null, id(2)], "hash": [null, "h2"], "reply": [null, null],
        "request": [1, 2], "name": ["note-a", "note-b"], "expected": [0, -2],
        "stream": [1, 2], "event": [id(11), id(12)], "type": [1, 1], "payload": ["1", "2"],
        "metadata": [null, null]
    });
    let spoilt = [
        // Lengths.
        ("tenant", json!([""])),
        ("tenant", json!([])),
        ("id", json!([null])),
        ("hash", json!([null])),
        ("reply", json!([null])),
        ("request", json!([1])),
        ("name", json!(["note-a"])),
        ("name", json!([])),
        ("expected", json!([0])),
        ("stream", json!([1])),
        ("event", json!([id(11)])),
        ("type", json!([1])),
        ("payload", json!(["1"])),
        ("metadata", json!([null])),
        // References.
        ("request", json!([1, 3])),
        ("request", json!([0, 2])),
        ("request", json!([1, null])),
        ("stream", json!([1, 3])),
        ("stream", json!([0, 1])),
        ("stream", json!([1, null])),
        // Values.
        ("expected", json!([0, -3])),
        ("expected", json!([0, null])),
        ("tenant", json!(["", null])),
        ("name", json!(["note-a", null])),
        ("event", json!([id(11), null])),
        ("type", json!([1, null])),
        ("payload", json!(["1", null])),
        // A request without an id that could not be recognised.
        ("id", json!([null, null])),
        ("expected", json!([-1, -2])),
        ("stream", json!([2, 2])),
        // An id without what it stands for, or twice.
        ("hash", json!([null, null])),
        ("id", json!([id(2), id(2)])),
        // A stream twice.
        ("name", json!(["note-a", "note-a"])),
        ("request", json!([2, 2])),
    ];
    for (array, value) in spoilt {
        let mut arguments = good.clone();
        arguments[array] = value.clone();
        if array == "id" && value[0] == value[1] && !value[0].is_null() {
            arguments["hash"] = json!(["h2", "h2"]);
        }
        let error = call(&mut session, &arguments).await.expect_err(&format!("{array}: {value}"));
        let code = error.as_database_error().unwrap().code().unwrap().into_owned();
        assert_eq!(code, "FL006", "{array}: {value}: {error}");
    }
    // A category that nobody registered: the caller may repeat it once somebody has.
    let mut unknown = good.clone();
    unknown["name"] = json!(["note-a", "unknown-b"]);
    let error = call(&mut session, &unknown).await.unwrap_err();
    assert_eq!(error.as_database_error().unwrap().code().unwrap(), "FL007", "{error}");
    run(&mut session, "begin").await;
    assert_eq!(call(&mut session, &good).await.unwrap().len(), 2);
    run(&mut session, "rollback").await;
    assert!(bench.all().await.is_empty());
}
