//! What the cases share: a stand-in for the facade, and a small bank that is modelled well.

#![allow(unused)]

use std::marker::PhantomData;

pub use foldlog_core::{
    CommandOf, Context, Decided, Decider, Decision, Event, EventSet, Exact, Fold, Handles,
    Identifies, Key, Keyed, Keys, Recorded, Route, Row, View,
};
pub use foldlog_derive::{Aggregate, Event, EventSet, Key, View};
pub use serde::{Deserialize, Serialize};
pub use uuid::Uuid;

pub mod __private {
    pub use foldlog_core::derived::*;
    pub use foldlog_core::*;
}

#[derive(
    Key, Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
pub struct AccountId(pub Uuid);

#[derive(Event, Clone, Serialize, Deserialize)]
#[event(category = "account", id = AccountId)]
pub enum AccountEvent {
    Opened { owner: String },
    Withdrawn { cents: i64 },
}

#[derive(Event, Clone, Serialize, Deserialize)]
#[event(category = "order", id = u64)]
pub enum OrderEvent {
    Placed,
}

#[derive(EventSet)]
pub enum Activity {
    Account(AccountEvent),
    Order(OrderEvent),
}

#[derive(Default, Aggregate)]
#[aggregate(id = AccountId)]
pub struct Account {
    pub cents: i64,
}

#[derive(Debug)]
pub enum Refused {}

impl std::fmt::Display for Refused {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {}
    }
}

impl std::error::Error for Refused {}

impl Decider for Account {
    type Event = AccountEvent;
    type Rejection = Refused;
    fn evolve(&mut self, _: &AccountEvent) {}
}

pub struct Open;

impl Handles<Open> for Account {
    type Reply = ();
    fn decide(&self, _: &Open, _: &Context<Self>) -> Decided<Self, Open> {
        Ok(Decision::none())
    }
}

pub struct App;

impl App {
    pub fn execute<A: Decider, C: CommandOf<A>>(&self, id: &impl Identifies<A>, command: C) {}
    pub fn view<V: Fold>(&self) -> Views<V>
    where
        V::By: Route<V>,
    {
        Views(PhantomData)
    }
}

pub struct Views<V>(PhantomData<V>);

impl<V: Fold> Views<V>
where
    V::By: Route<V>,
{
    pub fn fresh(&self, key: &V::Key)
    where
        V::By: Exact<V>,
    {
    }
}
