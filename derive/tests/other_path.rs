//! A program that re-exports foldlog under another name.

use std::convert::Infallible;

use foldlog_core::{Decider, EventSet as _, View as _};
use foldlog_derive::{Aggregate, Event, EventSet, Key, View};
use serde::{Deserialize, Serialize};

mod toolkit {
    pub(super) mod reexported {
        pub(crate) mod __private {
            pub(crate) use foldlog_core::derived::*;
            pub(crate) use foldlog_core::*;
        }
    }
}

/// Nothing may be taken from here.
mod foldlog {}

#[derive(
    Key, Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[key(crate = toolkit::reexported)]
struct Id(String, u16);

#[derive(Event, Serialize, Deserialize)]
#[event(crate = self::toolkit::reexported, category = "a_1", id = Id)]
enum Happened {
    Once,
}

#[derive(EventSet)]
#[event_set(crate = crate::other_path::toolkit::reexported)]
enum All {
    One(Happened),
}

#[derive(Default, Aggregate)]
#[aggregate(crate = toolkit::reexported, id = Id)]
struct State;

impl Decider for State {
    type Event = Happened;
    type Rejection = Infallible;
    fn evolve(&mut self, event: &Happened) {
        match event {
            Happened::Once => {}
        }
    }
}

#[derive(View, Serialize, Deserialize)]
#[view(crate = toolkit::reexported, name = "_rows", version = 1)]
struct Line {
    #[key]
    id: Id,
    count: u64,
}

#[test]
fn every_derive_takes_another_path() {
    assert_eq!(All::CATEGORIES, ["a_1"]);
    assert_eq!(Line::NAME, "_rows");
    assert_eq!(Line::blank(Id("x".into(), 1)).count, 0);
    let All::One(Happened::Once) = All::One(Happened::Once);
}
