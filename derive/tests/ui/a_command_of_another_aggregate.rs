extern crate self as foldlog;

mod bank;
use bank::*;

struct CloseBooks;

fn main() {
    let id = AccountId(Uuid::nil());
    App.execute(&id, CloseBooks);
}
