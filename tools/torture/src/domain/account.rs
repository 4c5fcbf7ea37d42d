//! The aggregate over an account's stream, with snapshots.

use std::convert::Infallible;

use foldlog::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AccountEvent, AccountId};

/// Its state is what sums of events are held against. Most streams reach many multiples of the rule.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema, Aggregate)]
#[aggregate(id = AccountId, snapshot_every = 16)]
pub struct Account {
    pub cents: i64,
    pub events: u64,
}

impl Decider for Account {
    type Event = AccountEvent;
    type Rejection = Infallible;

    fn evolve(&mut self, event: &AccountEvent) {
        self.cents += event.movement().1;
        self.events += 1;
    }
}

/// Moves money by these marks and cents, and is answered the state that it rested on.
#[derive(Clone, Debug)]
pub struct Move(pub Vec<(u64, i64)>);

impl Handles<Move> for Account {
    type Reply = (i64, u64);

    fn decide(&self, command: &Move, _: &Context<Self>) -> Decided<Self, Move> {
        let events = command.0.iter().map(|(mark, cents)| AccountEvent::moved(*mark, *cents));
        let events: Vec<AccountEvent> = events.collect();
        Ok(Decision::from(events).reply((self.cents, self.events)))
    }
}
