extern crate self as foldlog;

mod bank;
use bank::*;

#[derive(View, Serialize, Deserialize)]
#[view(name = "recent", version = 1)]
struct Recent {
    #[key(stream)]
    account: AccountId,
    cents: i64,
}

impl Fold for Recent {
    type Event = Activity;
    fn apply(&mut self, _: &Recorded<Activity>) -> Row {
        Row::Keep
    }
}

fn main() {
    App.view::<Recent>();
}
