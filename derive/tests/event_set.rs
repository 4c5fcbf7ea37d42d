use foldlog_core::{ErrorKind, EventSet as _};
use foldlog_derive::{Event, EventSet};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::event::{AccountEvent, STREAM, stored};
use crate::key::AccountId;

#[derive(Event, Debug, PartialEq, Serialize, Deserialize)]
#[event(category = "stock_item", id = u32)]
enum StockEvent {
    Moved { by: i64 },
}

#[derive(EventSet, Debug, PartialEq)]
enum Activity {
    Account(AccountId, AccountEvent),
    Stock(StockEvent),
}

#[test]
fn a_union_reads_each_category_as_its_variant() {
    assert_eq!(Activity::CATEGORIES, ["account", "stock_item"]);
    let closed = stored(STREAM, "Closed", "null").typed::<Activity>().unwrap();
    let id = AccountId(Uuid::from_u128(7));
    assert_eq!(closed.event, Activity::Account(id.clone(), AccountEvent::Closed));
    assert_eq!(closed.stream.id::<AccountEvent>(), Some(id));

    let moved = stored("stock_item-7", "Moved", r#"{"by":-2}"#).typed::<Activity>().unwrap();
    assert_eq!(moved.event, Activity::Stock(StockEvent::Moved { by: -2 }));
    assert_eq!(moved.stream.id::<StockEvent>(), Some(7));
}

#[test]
fn an_unknown_category_is_an_error_that_names_it() {
    let error = Activity::decode(&stored("order-7", "Placed", "null")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
    let text = error.to_string();
    assert!(text.contains("category order,"), "{text}");
    assert!(text.contains("account, stock_item"), "{text}");
}

#[test]
fn an_id_that_does_not_fit_is_an_error_where_the_variant_carries_it() {
    let error = Activity::decode(&stored("account-7", "Closed", "null")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
}
