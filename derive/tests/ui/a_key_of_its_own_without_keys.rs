extern crate self as foldlog;

mod bank;
use bank::*;

#[derive(View, Serialize, Deserialize)]
#[view(name = "owners", version = 1)]
struct Owners {
    #[key]
    owner: String,
    accounts: i64,
}

impl Fold for Owners {
    type Event = AccountEvent;
    fn apply(&mut self, _: &Recorded<AccountEvent>) -> Row {
        Row::Keep
    }
}

fn main() {
    App.view::<Owners>();
}
