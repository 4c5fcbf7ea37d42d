use std::borrow::Cow;
use std::collections::BTreeMap;

use foldlog_core::{ByKeys, ByStream, Column, View as _};
use foldlog_derive::{Key, View};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[derive(
    Key, Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
struct StockId(String);

#[derive(View, Debug, PartialEq, Serialize, Deserialize)]
#[view(name = "stock", version = 2)]
struct Stock {
    amount: i64,
    #[key(stream)]
    id: StockId,
}

#[derive(View, Debug, PartialEq, Serialize, Deserialize)]
#[view(name = "turnover_2", version = 1, classes = 16)]
#[serde(deny_unknown_fields)]
struct Turnover {
    #[key]
    person: String,
    #[serde(default)]
    cents: i64,
    #[key]
    #[serde(rename = "day_of")]
    r#type: u32,
}

/// A type whose serde form is beside the point here.
type NaiveDate = u32;

mod rust_decimal {
    pub(super) type Decimal = i64;
}

#[derive(View, Serialize, Deserialize)]
#[view(name = "wide", version = 2147483647, classes = 16)]
struct Wide {
    #[key(stream)]
    key: Uuid,
    a: (i8, u16),
    b: i8,
    c: Option<u16>,
    d: Box<Option<u32>>,
    e: u64,
    f: f32,
    g: f64,
    h: bool,
    i: char,
    j: Cow<'static, str>,
    k: NaiveDate,
    l: rust_decimal::Decimal,
    m: BTreeMap<String, i64>,
    n: ::std::option::Option<std::string::String>,
    #[column(type = "numeric(12,2)")]
    o: String,
    r#as: isize,
}

fn by<V: foldlog_core::View<By = B>, B>(classes: u16) {
    assert_eq!(V::CLASSES, classes);
}

#[test]
fn a_view_by_stream_is_divided_and_a_view_by_keys_is_not() {
    by::<Stock, ByStream>(4);
    by::<Turnover, ByKeys>(16);
    by::<Wide, ByStream>(16);
    assert_eq!((Stock::NAME, Stock::VERSION), ("stock", 2));
    assert_eq!(Wide::VERSION, 2_147_483_647);
}

#[test]
fn a_blank_row_has_the_key_in_its_place_and_defaults_elsewhere() {
    let id = StockId("85123A".into());
    assert_eq!(Stock::blank(id.clone()), Stock { id, amount: 0 });
    assert_eq!(
        Turnover::blank(("Ada".to_owned(), 20)),
        Turnover { person: "Ada".into(), r#type: 20, cents: 0 }
    );
}

#[test]
fn columns_are_named_as_serde_writes_the_fields() {
    let column = |name, sql_type, key| Column { name, sql_type, key };
    assert_eq!(
        Turnover::COLUMNS,
        [
            column("person", "text", true),
            column("cents", "bigint", false),
            column("day_of", "bigint", true),
        ]
    );
    assert_eq!(Stock::COLUMNS[1], column("id", "text", true));

    let row = serde_json::to_value(Wide::blank(Uuid::nil())).unwrap();
    let written: Vec<&str> = row.as_object().unwrap().keys().map(String::as_str).collect();
    let mut named: Vec<&str> = Wide::COLUMNS.iter().map(|column| column.name).collect();
    named.sort_unstable();
    assert_eq!(named, written);
}

#[test]
fn the_type_of_a_column_follows_from_the_spelling_of_the_field() {
    let types: Vec<&str> = Wide::COLUMNS.iter().map(|column| column.sql_type).collect();
    let expected = [
        "uuid",
        "jsonb",
        "smallint",
        "integer",
        "bigint",
        "numeric",
        "real",
        "double precision",
        "boolean",
        "text",
        "text",
        "date",
        "numeric",
        "jsonb",
        "text",
        "numeric(12,2)",
        "bigint",
    ];
    assert_eq!(types, expected);
}
