extern crate self as foldlog;

mod bank;
use bank::*;

#[derive(EventSet)]
enum Nested {
    Activity(Activity),
}

#[derive(EventSet)]
enum OtherId {
    Order(AccountId, OrderEvent),
}

fn main() {}
