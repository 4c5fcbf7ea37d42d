//! What the cases share: a small bank that is modelled well, and an app that is never started.

#![allow(unused)]

pub use foldlog::prelude::*;
pub use serde::{Deserialize, Serialize};

#[derive(Key, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountId(pub u64);

#[derive(Event, Serialize, Deserialize)]
#[event(category = "account", id = AccountId)]
pub enum AccountEvent {
    Opened,
}

#[derive(Default, Aggregate)]
#[aggregate(id = AccountId)]
pub struct Account;

#[derive(Debug, thiserror::Error)]
#[error("refused")]
pub struct Refused;

impl Decider for Account {
    type Event = AccountEvent;
    type Rejection = Refused;
    fn evolve(&mut self, _: &AccountEvent) {}
}

pub struct Open;

impl Handles<Open> for Account {
    type Reply = ();
    fn decide(&self, _: &Open, _: &Context<Self>) -> Decided<Self, Open> {
        Ok(AccountEvent::Opened.into())
    }
}

/// A reply that serde does not know.
pub struct Opaque;

pub struct Look;

impl Handles<Look> for Account {
    type Reply = Opaque;
    fn decide(&self, _: &Look, _: &Context<Self>) -> Decided<Self, Look> {
        Ok(Decision::none().reply(Opaque))
    }
}

pub fn app() -> App {
    panic!("the cases do not run")
}
