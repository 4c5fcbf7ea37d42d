extern crate self as foldlog;

mod bank;
use bank::*;

struct Withdraw {
    cents: i64,
}

impl Handles<Withdraw> for Account {
    type Reply = i64;
    fn decide(&self, c: &Withdraw, _: &Context<Self>) -> Decided<Self, Withdraw> {
        Ok(AccountEvent::Withdrawn { cents: c.cents }.into())
    }
}

fn main() {}
