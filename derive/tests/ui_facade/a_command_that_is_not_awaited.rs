#![deny(unused_must_use)]

mod bank;
use bank::*;

#[tokio::main]
async fn main() {
    app().execute(&AccountId(1), Open);
    app().append([any(&AccountId(1), AccountEvent::Opened)]);
}
