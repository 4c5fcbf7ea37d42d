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

#[derive(Default, Aggregate)]
#[aggregate(id = u32, snapshot_every = 0)]
struct SnapshotsOfNothing;

#[derive(Default, Aggregate)]
#[aggregate(id = u32, snapshot_every = "100")]
struct TextForNumber;

#[derive(Default, Aggregate)]
#[aggregate(id = u32, snapshot_every = 1.5)]
struct Broken;

#[derive(Default, Aggregate)]
#[aggregate(id = u32, snapshot_version = 2)]
struct VersionOfNothing;

#[derive(Default, Aggregate)]
#[aggregate(id = u32, snapshot_every = 10, snapshot_version = -1)]
struct VersionBelowZero;

#[derive(Default, Aggregate, serde::Serialize, serde::Deserialize)]
#[aggregate(id = u32, snapshot_every = 10)]
struct Forgetful {
    kept: u32,
    #[serde(default, skip_serializing)]
    lost: u32,
}

fn main() {}
