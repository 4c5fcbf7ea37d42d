extern crate self as foldlog;

mod bank;
use bank::*;

#[derive(EventSet)]
enum Twice {
    Account(AccountEvent),
    Order(OrderEvent),
    Again(AccountEvent),
}

fn main() {}
