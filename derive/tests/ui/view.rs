use foldlog_derive::View;
use serde::{Deserialize, Serialize};

#[derive(View)]
#[view(name = "rows", version = 1)]
enum NoStruct {}

#[derive(View)]
#[view(name = "rows", version = 1)]
struct Tuple(#[key] u32);

#[derive(View)]
struct NoOptions {
    #[key]
    id: u32,
}

#[derive(View)]
#[view(name = "rows")]
struct NoVersion {
    #[key]
    id: u32,
}

#[derive(View)]
#[view(name = "rows", version = 0)]
struct VersionZero {
    #[key]
    id: u32,
}

#[derive(View)]
#[view(name = "Rows", version = 1)]
struct UpperCase {
    #[key]
    id: u32,
}

#[derive(View)]
#[view(name = "foldlog_rows", version = 1)]
struct Reserved {
    #[key]
    id: u32,
}

#[derive(View)]
#[view(name = "a_name_of_which_postgresql_would_not_keep_the_whole", version = 1)]
struct TooLong {
    #[key]
    id: u32,
}

#[derive(View)]
#[view(name = "rows", version = 1, classes = 3)]
struct ThreeClasses {
    #[key(stream)]
    id: u32,
}

#[derive(View)]
#[view(name = "rows", version = 1)]
struct NoKey {
    id: u32,
}

#[derive(View)]
#[view(name = "rows", version = 1)]
struct TwoStreams {
    #[key(stream)]
    id: u32,
    #[key]
    other: u32,
}

#[derive(View)]
#[view(name = "rows", version = 1)]
struct FiveKeys {
    #[key]
    a: u32,
    #[key]
    b: u32,
    #[key]
    c: u32,
    #[key]
    d: u32,
    #[key]
    e: u32,
}

#[derive(View, Serialize, Deserialize)]
#[view(name = "rows", version = 1)]
#[serde(rename_all = "camelCase")]
struct Renamed {
    #[key]
    id: u32,
}

fn main() {}
