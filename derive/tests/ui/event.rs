use foldlog_derive::Event;
use serde::{Deserialize, Serialize};

#[derive(Event)]
#[event(category = "account", id = u32)]
struct NoEnum;

#[derive(Event)]
#[event(category = "account", id = u32)]
enum Never {}

#[derive(Event)]
#[event(category = "account", id = u32)]
enum Of<T> {
    Happened(T),
}

#[derive(Event)]
enum NoOptions {
    Happened,
}

#[derive(Event)]
#[event(category = "account")]
enum NoId {
    Happened,
}

#[derive(Event)]
#[event(category = "account", id = u32, name = "x")]
enum UnknownOption {
    Happened,
}

#[derive(Event)]
#[event(category = "account", id = u32, category = "order")]
enum TwoCategories {
    Happened,
}

#[derive(Event)]
#[event(category = "bank-account", id = u32)]
enum Hyphen {
    Happened,
}

#[derive(Event)]
#[event(category = "", id = u32)]
enum Empty {
    Happened,
}

#[derive(Event)]
#[event(category = Account, id = u32)]
enum NoText {
    Happened,
}

#[derive(Event, Serialize, Deserialize)]
#[event(category = "account", id = u32)]
#[serde(tag = "type", content = "data")]
enum Tagged {
    Happened,
}

#[derive(Event, Serialize, Deserialize)]
#[event(category = "account", id = u32)]
#[serde(rename_all = "snake_case", untagged)]
enum Untagged {
    Happened,
}

#[derive(Event, Serialize, Deserialize)]
#[event(category = "account", id = u32)]
enum Lost {
    Happened,
    #[serde(skip)]
    Forgotten,
}

fn main() {}
