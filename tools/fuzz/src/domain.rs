//! Keys, events and a state as a user has them, with every shape that the derives and serde know.

use foldlog::{Aggregate, Decider, Event, Key};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

#[derive(Key, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Name(pub(crate) String);

#[derive(Key, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Number(pub(crate) i64);

#[derive(Key, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[key(tag = "place_2")]
pub(crate) struct Place {
    pub(crate) hall: String,
    pub(crate) seat: u16,
}

#[derive(Key, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Nested(pub(crate) Place, pub(crate) Name, pub(crate) Uuid, pub(crate) Colour);

#[derive(Key, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Colour {
    Red,
    DarkBlue,
    Green2,
}

/// Every shape of a variant. A float reads back as it was written, to the last bit.
#[derive(Clone, Debug, PartialEq, Event, Serialize, Deserialize)]
#[event(category = "thing", id = Number)]
pub(crate) enum ThingEvent {
    Closed,
    Noted(String),
    Moved(i64, i64),
    Weighed(f64),
    Taken { seat: Option<(String, u16)>, big: u64, sign: char },
    Listed(Vec<Vec<bool>>),
    Told(Value),
    Nothing {},
}

/// A state that holds itself.
#[derive(Clone, Debug, Default, PartialEq, Aggregate, Serialize, Deserialize, JsonSchema)]
#[aggregate(id = Number, snapshot_every = 10)]
pub(crate) struct Thing {
    name: Option<String>,
    parts: Vec<Thing>,
    #[serde(default)]
    weight: f64,
    counts: std::collections::BTreeMap<String, i32>,
}

impl Decider for Thing {
    type Event = ThingEvent;
    type Rejection = std::convert::Infallible;
    fn evolve(&mut self, _: &ThingEvent) {}
}
