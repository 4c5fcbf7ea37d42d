use foldlog_derive::View;
use serde::{Deserialize, Serialize};

#[derive(View)]
#[view(name = "rows", version = 1)]
struct UnknownKey {
    #[key(streams)]
    id: u32,
}

#[derive(View)]
#[view(name = "rows", version = 1)]
struct TwoMarks {
    #[key]
    #[key(stream)]
    id: u32,
}

#[derive(View)]
#[view(name = "rows", version = 1)]
struct Own {
    #[key]
    id: u32,
    tenant: u32,
}

#[derive(View)]
#[view(name = "rows", version = 1)]
struct UpperCase {
    #[key]
    id: u32,
    #[allow(non_snake_case)]
    centsLeft: u32,
}

#[derive(View, Serialize, Deserialize)]
#[view(name = "rows", version = 1)]
struct RenamedWrong {
    #[key]
    #[serde(rename = "an id")]
    id: u32,
}

#[derive(View, Serialize, Deserialize)]
#[view(name = "rows", version = 1)]
struct RenamedOneWay {
    #[key]
    #[serde(rename(serialize = "key"))]
    id: u32,
}

#[derive(View, Serialize, Deserialize)]
#[view(name = "rows", version = 1)]
struct Alike {
    #[key]
    id: u32,
    #[serde(alias = "x", rename = "id")]
    other: u32,
}

#[derive(View, Serialize, Deserialize)]
#[view(name = "rows", version = 1)]
struct Skipped {
    #[key]
    id: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

#[derive(View)]
#[view(name = "rows", version = 1)]
struct UnknownOption {
    #[key]
    #[column(kind = "text")]
    id: u32,
}

#[derive(View)]
#[view(name = "rows", version = 1)]
struct TwoColumns {
    #[key]
    #[column(type = "text, other text")]
    id: u32,
}

#[derive(View)]
#[view(name = "rows", version = 1)]
struct Quoted {
    #[key]
    #[column(type = "text default 'x'")]
    id: u32,
}

#[derive(View)]
#[view(name = "rows", version = 1)]
struct Unclosed {
    #[key]
    #[column(type = "numeric(12,2")]
    id: u32,
}

fn main() {}
