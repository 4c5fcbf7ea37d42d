extern crate self as foldlog;

mod bank;
use bank::*;

#[derive(View, Serialize, Deserialize)]
#[view(name = "balance", version = 1)]
struct Balance {
    #[key(stream)]
    account: String,
    cents: i64,
}

impl Fold for Balance {
    type Event = AccountEvent;
    fn apply(&mut self, _: &Recorded<AccountEvent>) -> Row {
        Row::Keep
    }
}

fn main() {
    App.view::<Balance>();
}
