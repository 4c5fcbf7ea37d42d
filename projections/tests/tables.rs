//! The table of a view: its columns, and what stands in them.

use std::collections::BTreeMap;

use foldlog_core::{Fold, Recorded, Row as Fate, Tenant};
use foldlog_derive::{Event, Key, View};
use foldlog_projections::{Registered, Workers};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use sqlx::Row;

use crate::domain::{AccountEvent, Balance, account, deposit};
use crate::support::{Bench, Running};

#[derive(Key, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
struct PartId(String);

#[derive(Event, Clone, Debug, Serialize, Deserialize)]
#[event(category = "part", id = PartId)]
enum PartEvent {
    Measured { count: i64, price: Decimal, at: String, note: Option<String>, tags: Vec<String> },
}

/// A field of every kind that a column can be.
#[derive(View, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[view(name = "part_2", version = 3, classes = 1)]
struct Part {
    #[key(stream)]
    id: PartId,
    #[serde(rename = "how_many")]
    count: i64,
    biggest: u64,
    price: Decimal,
    heavy: bool,
    // Texts that are no text to PostgreSQL: a blank row, which holds "", would not fit the column.
    #[column(type = "timestamptz")]
    at: String,
    #[column(type = "numeric(12,2)")]
    weight: String,
    note: Option<String>,
    tags: BTreeMap<String, Vec<String>>,
}

impl Fold for Part {
    type Event = PartEvent;

    fn apply(&mut self, event: &Recorded<PartEvent>) -> Fate {
        let PartEvent::Measured { count, price, at, note, tags } = &event.event;
        (self.count, self.price, self.heavy) = (*count, *price, *count < 0);
        (self.at, self.note, self.biggest) = (at.clone(), note.clone(), u64::MAX);
        self.weight = "12.50".to_owned();
        self.tags.insert("all".to_owned(), tags.clone());
        Fate::Keep
    }
}

#[tokio::test]
async fn a_views_table_has_the_columns_and_the_key_that_its_type_says() {
    let bench = Bench::new().await;
    bench.open([Registered::view::<Part>().unwrap()]).await;
    let rows = bench
        .rows(
            "select a.attname::text, format_type(a.atttypid, a.atttypmod), a.attnotnull,
                coalesce(c.collname::text, '')
            from pg_attribute a left join pg_collation c on c.oid = a.attcollation
            where a.attrelid = 'foldlog_view.part_2'::regclass and a.attnum > 0 order by a.attnum",
        )
        .await;
    let columns: Vec<(String, String, bool, String)> =
        rows.iter().map(|r| (r.get(0), r.get(1), r.get(2), r.get(3))).collect();
    let column = |name: &str, sql_type: &str, not_null, collation: &str| {
        (name.to_owned(), sql_type.to_owned(), not_null, collation.to_owned())
    };
    assert_eq!(
        columns,
        [
            column("tenant", "text", true, "C"),
            column("id", "text", true, "C"),
            column("how_many", "bigint", false, ""),
            column("biggest", "numeric", false, ""),
            column("price", "numeric", false, ""),
            column("heavy", "boolean", false, ""),
            column("at", "timestamp with time zone", false, ""),
            column("weight", "numeric(12,2)", false, ""),
            column("note", "text", false, "default"),
            column("tags", "jsonb", false, ""),
            column("foldlog_row", "json", true, ""),
            column("foldlog_position", "bigint", true, ""),
            column("foldlog_version", "bigint", true, ""),
        ]
    );
    let key: String = bench
        .value(
            "select pg_get_constraintdef(oid) from pg_constraint
            where conrelid = 'foldlog_view.part_2'::regclass and contype = 'p'",
        )
        .await;
    assert_eq!(key, "PRIMARY KEY (tenant, id)");
}

#[tokio::test]
async fn a_row_is_what_serde_wrote_and_its_columns_say_the_same() {
    let bench = Bench::new().await;
    let projections = bench.open([Registered::view::<Part>().unwrap()]).await;
    let id = PartId("ä\"'\\ %/–".to_owned());
    let measured = PartEvent::Measured {
        count: i64::MIN + 1,
        price: "1234567890.123456789012".parse().unwrap(),
        at: "2024-02-29T23:59:59.123456+02:00".to_owned(),
        note: None,
        tags: vec!["a".to_owned(), "\"b\"\n".to_owned()],
    };
    let token = bench.put(&id, measured).await;
    let running = Running::start(&projections, Workers::default());
    let views = projections.view::<Part>(Tenant::default());
    let row = views.at_least(&token).get(&id).await.unwrap().unwrap();
    assert_eq!(row.count, i64::MIN + 1);
    bench.assert_folded::<Part>().await;

    let stored = &bench
        .rows(
            "select id, how_many, biggest::text, price::text, heavy,
                at = '2024-02-29 21:59:59.123456Z', weight::text, note, tags::text,
                foldlog_position, foldlog_version, foldlog_row::text
            from foldlog_view.part_2",
        )
        .await[0];
    assert_eq!(stored.get::<String, _>(0), id.0);
    assert_eq!(stored.get::<i64, _>(1), i64::MIN + 1);
    assert_eq!(stored.get::<String, _>(2), u64::MAX.to_string());
    assert_eq!(stored.get::<String, _>(3), "1234567890.123456789012");
    assert!(stored.get::<bool, _>(4) && stored.get::<bool, _>(5));
    assert_eq!(stored.get::<String, _>(6), "12.50");
    assert_eq!(stored.get::<Option<String>, _>(7), None);
    assert_eq!(stored.get::<String, _>(8), r#"{"all": ["a", "\"b\"\n"]}"#);
    assert_eq!(stored.get::<i64, _>(9).unsigned_abs(), token.position().get());
    assert_eq!(stored.get::<i64, _>(10), 1);
    assert_eq!(stored.get::<String, _>(11), serde_json::to_string(&row).unwrap());
    // Read without a worker too, where the blank row is all that goes to the server.
    running.end().await;
    let views = projections.view::<Part>(Tenant::default());
    assert_eq!(views.fresh(&id).await.unwrap().unwrap(), row);
    assert_eq!(views.fresh(&PartId("none".to_owned())).await.unwrap(), None);
    assert_eq!(views.get(&PartId("none".to_owned())).await.unwrap(), None);
}

#[tokio::test]
async fn every_event_counts_once_in_a_view_by_stream_of_several_tenants() {
    let bench = Bench::new().await;
    let projections = bench.open([Registered::view::<Balance>().unwrap()]).await;
    let running = Running::start(&projections, Workers::default());
    let tenants = ["", "blue", "green"].map(|name| Tenant::new(name).unwrap());
    for n in 0..60_i64 {
        for (offset, tenant) in tenants.iter().enumerate() {
            let id = account(&format!("a{}", (n + i64::try_from(offset).unwrap()) % 7));
            let events = match n % 10 {
                9 => vec![AccountEvent::Closed],
                8 => vec![AccountEvent::Closed, deposit(n)],
                _ => (0..=n % 5).map(deposit).collect(),
            };
            bench.put_for(tenant, &id, events).await;
        }
    }
    bench.caught_up("balance", "account").await;
    bench.assert_folded::<Balance>().await;
    let rows: i64 = bench.value("select count(distinct tenant) from foldlog_view.balance").await;
    assert_eq!(rows, 3);
    let blue = projections.view::<Balance>(Tenant::new("blue").unwrap());
    for n in 0..7 {
        let id = account(&format!("a{n}"));
        assert_eq!(blue.get(&id).await.unwrap(), blue.fresh(&id).await.unwrap());
    }
    running.end().await;
}

#[tokio::test]
async fn a_view_that_is_not_registered_says_so() {
    let bench = Bench::new().await;
    let projections = bench.open([Registered::view::<Balance>().unwrap()]).await;
    let views = projections.view::<Part>(Tenant::default());
    let error = views.fresh(&PartId("x".to_owned())).await.unwrap_err();
    assert_eq!(error.kind(), foldlog_core::ErrorKind::Invalid);
    assert!(error.to_string().contains("part_2"), "{error}");
    let twice = [Registered::view::<Balance>().unwrap(), Registered::view::<Balance>().unwrap()];
    let error = bench.try_open(twice).await.unwrap_err();
    assert_eq!(error.kind(), foldlog_core::ErrorKind::Invalid);
}
