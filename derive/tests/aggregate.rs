use std::convert::Infallible;

use foldlog_core::{Decider, IdOf, Identifies, SnapshotRule};
use foldlog_derive::Aggregate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::event::AccountEvent;
use crate::key::AccountId;

macro_rules! folds_nothing {
    ($($aggregate:ty),*) => {$(
        impl Decider for $aggregate {
            type Event = AccountEvent;
            type Rejection = Infallible;
            fn evolve(&mut self, _: &AccountEvent) {}
        }
    )*};
}

#[derive(Default, Aggregate)]
#[aggregate(id = AccountId)]
struct Account;

#[derive(Default, Serialize, Deserialize, JsonSchema, Aggregate)]
#[aggregate(id = AccountId, snapshot_every = 1_000)]
struct Stored {
    cents: i64,
    #[serde(rename = "o", skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
}

#[derive(Default, Serialize, Deserialize, JsonSchema, Aggregate)]
#[aggregate(snapshot_version = 2, snapshot_every = 1_000, id = AccountId)]
struct Raised {
    cents: i64,
}

folds_nothing!(Account, Stored, Raised);

fn id_of<A: Decider>(id: &impl Identifies<A>) -> IdOf<A> {
    id.id()
}

fn rule<A: Decider>() -> Option<&'static SnapshotRule<A>>
where
    AccountId: Identifies<A>,
{
    <AccountId as Identifies<A>>::snapshots()
}

#[test]
fn the_id_alone_names_the_aggregate() {
    let id = AccountId(Uuid::from_u128(7));
    assert_eq!(id_of::<Account>(&id), id);
}

#[test]
fn snapshots_are_taken_of_what_asks_for_them() {
    assert!(rule::<Account>().is_none());
    let stored = rule::<Stored>().unwrap();
    assert_eq!(stored.every(), 1_000);
    assert!(stored.aggregate().ends_with("::aggregate::Stored"), "{}", stored.aggregate());
    let again = rule::<Stored>().unwrap();
    assert!(std::ptr::eq(stored, again), "made once");
    let state = Stored { cents: 7, owner: None };
    let json = stored.write(&state).unwrap();
    assert_eq!(json, r#"{"cents":7}"#);
    assert!(stored.reads_back(&json) && stored.read(&json).unwrap().owner.is_none());
}

#[test]
fn the_version_that_was_said_is_part_of_the_hash() {
    let raised = rule::<Raised>().unwrap();
    let same = SnapshotRule::<Raised>::new(raised.aggregate(), 5, 2);
    assert_eq!(raised.schema_hash(), same.schema_hash());
    let other = SnapshotRule::<Raised>::new(raised.aggregate(), 1_000, 1);
    assert_ne!(raised.schema_hash(), other.schema_hash());
}
