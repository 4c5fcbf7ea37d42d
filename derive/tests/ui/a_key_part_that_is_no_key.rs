extern crate self as foldlog;

mod bank;
use bank::*;

#[derive(Key, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Flagged {
    id: Uuid,
    flag: bool,
}

fn main() {}
