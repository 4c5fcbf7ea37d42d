extern crate self as foldlog;

mod bank;
use bank::*;

#[derive(Key, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
struct UserId(u32);

#[derive(Event, Serialize, Deserialize)]
#[event(category = "user", id = UserId)]
enum UserEvent {
    Registered {
        #[tag]
        email: String,
    },
    Invited {
        #[tag]
        by: UserId,
    },
}

fn main() {}
