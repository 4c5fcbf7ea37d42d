extern crate self as foldlog;

mod bank;
use bank::*;

#[derive(Default, Aggregate)]
#[aggregate(id = String)]
struct Limits;

impl Decider for Limits {
    type Event = AccountEvent;
    type Rejection = Refused;
    fn evolve(&mut self, _: &AccountEvent) {}
}

fn main() {}
