extern crate self as foldlog;

mod bank;
use bank::*;

fn main() {
    let id = Uuid::nil();
    App.execute(&id, Open);
}
