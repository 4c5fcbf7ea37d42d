extern crate self as foldlog;

mod bank;
use bank::*;

#[derive(Event)]
#[event(category = "invoice", id = Uuid)]
enum InvoiceEvent {
    Sent,
}

fn main() {}
