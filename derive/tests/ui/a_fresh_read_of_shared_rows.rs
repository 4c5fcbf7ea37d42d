extern crate self as foldlog;

mod bank;
use bank::*;

#[derive(View, Serialize, Deserialize)]
#[view(name = "turnover", version = 1)]
struct Turnover {
    #[key]
    person: String,
    cents: i64,
}

impl Fold for Turnover {
    type Event = Activity;
    fn apply(&mut self, _: &Recorded<Activity>) -> Row {
        Row::Keep
    }
}

impl Keyed for Turnover {
    fn keys(_: &Recorded<Activity>) -> Keys<String> {
        Keys::none()
    }
}

fn main() {
    App.view::<Turnover>().fresh(&"Ada".to_owned());
}
