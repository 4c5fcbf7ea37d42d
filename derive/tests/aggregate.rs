use std::convert::Infallible;

use foldlog_core::{Decider, IdOf, Identifies};
use foldlog_derive::Aggregate;
use uuid::Uuid;

use crate::event::AccountEvent;
use crate::key::AccountId;

#[derive(Default, Aggregate)]
#[aggregate(id = AccountId)]
struct Account;

impl Decider for Account {
    type Event = AccountEvent;
    type Rejection = Infallible;
    fn evolve(&mut self, _: &AccountEvent) {}
}

fn id_of<A: Decider>(id: &impl Identifies<A>) -> IdOf<A> {
    id.id()
}

#[test]
fn the_id_alone_names_the_aggregate() {
    let id = AccountId(Uuid::from_u128(7));
    assert_eq!(id_of(&id), id);
}
