use foldlog_derive::EventSet;

#[derive(EventSet)]
struct NoEnum;

#[derive(EventSet)]
enum Never {}

#[derive(EventSet)]
enum Unit {
    Account,
}

#[derive(EventSet)]
enum Named {
    Account { event: u32 },
}

#[derive(EventSet)]
enum Three {
    Account(u32, u32, u32),
}

#[derive(EventSet)]
#[event_set(category = "account")]
enum UnknownOption {
    Account(u32),
}

fn main() {}
