use foldlog_derive::Aggregate;

#[derive(Default, Aggregate)]
struct NoOptions;

#[derive(Default, Aggregate)]
#[aggregate]
struct NoId;

#[derive(Default, Aggregate)]
#[aggregate(id = u32, id = u64)]
struct TwoIds;

#[derive(Default, Aggregate)]
#[aggregate(id = "AccountId")]
struct TextForType;

#[derive(Default, Aggregate)]
#[aggregate(id = u32)]
struct Of<T>(T);

fn main() {}
