//! A cart: things are put in, until it is checked out.

use std::num::NonZeroU32;

use foldlog::prelude::*;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The most things in a cart.
const COUNT_MAX: u32 = 100;

/// What a thing costs today, in cents.
fn price(sku: &str) -> Option<i64> {
    match sku {
        "tea" => Some(450),
        "pot" => Some(2_900),
        _ => None,
    }
}

#[derive(Key, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CartId(pub String);

#[derive(Event, Serialize, Deserialize)]
#[event(category = "cart", id = CartId)]
pub enum CartEvent {
    /// With what it cost on that day.
    Added {
        sku: String,
        count: u32,
        cents: i64,
    },
    CheckedOut,
}

/// A command, and what tells this request from another: the reply gives it back, so that a repetition
/// shows whether it repeats.
pub struct Asked<C> {
    pub command: C,
    pub request: Uuid,
}

#[derive(Deserialize)]
pub struct Add {
    pub sku: String,
    pub count: NonZeroU32,
}

pub struct CheckOut;

/// What the cart comes to, for which request.
#[derive(Serialize, Deserialize)]
pub struct Sum {
    pub request: Uuid,
    pub count: u32,
    pub cents: i64,
}

#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error("the cart was checked out")]
    CheckedOut,
    #[error("there is nothing in the cart")]
    Empty,
    #[error("a cart holds {COUNT_MAX} things at most")]
    Full,
    #[error("there is no such thing in the shop")]
    Unknown,
}

#[derive(Default, Aggregate)]
#[aggregate(id = CartId)]
pub struct Cart {
    count: u32,
    cents: i64,
    is_checked_out: bool,
}

impl Decider for Cart {
    type Event = CartEvent;
    type Rejection = Refused;

    fn evolve(&mut self, event: &CartEvent) {
        match event {
            CartEvent::Added { count, cents, .. } => {
                self.count += count;
                self.cents += cents;
            }
            CartEvent::CheckedOut => self.is_checked_out = true,
        }
    }
}

impl Handles<Asked<Add>> for Cart {
    type Reply = Sum;

    fn decide(&self, asked: &Asked<Add>, _: &Context<Self>) -> Decided<Self, Asked<Add>> {
        let Asked { command: Add { sku, count }, request } = asked;
        if self.is_checked_out {
            return Err(Refused::CheckedOut);
        }
        let (count, total) = (count.get(), self.count.saturating_add(count.get()));
        if total > COUNT_MAX {
            return Err(Refused::Full);
        }
        let cents = price(sku).ok_or(Refused::Unknown)? * i64::from(count);
        let sum = Sum { request: *request, count: total, cents: self.cents + cents };
        Ok((CartEvent::Added { sku: sku.clone(), count, cents }, sum).into())
    }
}

impl Handles<Asked<CheckOut>> for Cart {
    type Reply = Sum;

    fn decide(&self, asked: &Asked<CheckOut>, _: &Context<Self>) -> Decided<Self, Asked<CheckOut>> {
        match self.count {
            _ if self.is_checked_out => Err(Refused::CheckedOut),
            0 => Err(Refused::Empty),
            count => {
                let sum = Sum { request: asked.request, count, cents: self.cents };
                Ok((CartEvent::CheckedOut, sum).into())
            }
        }
    }
}

/// What a page shows of a cart. It keeps the version it shows, which a client sends back.
#[derive(View, Serialize, Deserialize)]
#[view(name = "cart", version = 1)]
pub struct CartRow {
    #[key(stream)]
    cart: CartId,
    pub version: u64,
    count: u32,
    cents: i64,
    is_checked_out: bool,
}

impl Fold for CartRow {
    type Event = CartEvent;

    fn apply(&mut self, e: &Recorded<CartEvent>) -> Row {
        self.version = e.version;
        match &e.event {
            CartEvent::Added { count, cents, .. } => {
                self.count += count;
                self.cents += cents;
            }
            CartEvent::CheckedOut => self.is_checked_out = true,
        }
        Row::Keep
    }
}
