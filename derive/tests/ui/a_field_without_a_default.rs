extern crate self as foldlog;

mod bank;
use bank::*;

#[derive(Serialize, Deserialize)]
struct Opaque;

#[derive(View, Serialize, Deserialize)]
#[view(name = "opaque", version = 1)]
struct Opaques {
    #[key(stream)]
    id: AccountId,
    opaque: Opaque,
}

fn main() {}
