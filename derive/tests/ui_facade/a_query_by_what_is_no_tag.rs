mod bank;
use bank::*;

fn main() {
    let _ = Query::of::<AccountEvent>().tag(&AccountId(1));
}
