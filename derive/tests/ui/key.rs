use foldlog_derive::Key;

#[derive(Key)]
struct Nothing;

#[derive(Key)]
enum Never {}

#[derive(Key)]
enum Kind {
    Plain,
    Other(String),
}

#[derive(Key)]
enum Alike {
    UsDollar,
    us_dollar,
}

#[derive(Key)]
struct Of<T>(T);

#[derive(Key)]
union Bits {
    a: u32,
    b: i32,
}

#[derive(Key)]
#[key(stream)]
struct Misplaced(u32);

#[derive(Key)]
#[key(crate = crate::one, crate = crate::other)]
struct Twice(u32);

fn main() {}
