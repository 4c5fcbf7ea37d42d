//! What happened, as the callers saw it: every call with its begin, its end and how it ended.
//!
//! Times are nanoseconds of one monotonic clock, the run's. Streams are numbers into
//! [`History::streams`]. Each event carries a **mark**, unique in the run: its payload says it, so an
//! event is recognised wherever it turns up. The repetitions of one append carry the same marks.

mod decision;
mod hold;
mod marking;
mod state;
mod tamper;

use std::collections::BTreeMap;

pub use decision::{Decision, Given, Item, Tagged};
pub use hold::{Hold, Neighbour};
pub use marking::{Act, Answer, Found, Marking, Standing, StoredMark, StreamRead};
pub use state::{Folded, StateRead};
pub use tamper::Tamper;

/// A moment: nanoseconds since the run began.
pub type Moment = u64;

/// Everything that was recorded of one schedule.
#[derive(Debug, Default)]
pub struct History {
    /// The names of streams, by their numbers.
    pub streams: Vec<String>,
    pub appends: Vec<Append>,
    pub transactions: Vec<Transaction>,
    pub pages: Vec<Page>,
    pub loads: Vec<Load>,
    pub sums: Vec<Sum>,
    pub shots: Vec<ViewShot>,
    pub stalls: Vec<Stall>,
    pub poisons: Vec<Poison>,
    pub faults: Vec<Fault>,
    pub decisions: Vec<Decision>,
    pub tagged: Vec<Tagged>,
    pub markings: Vec<Marking>,
    pub reads: Vec<StreamRead>,
    pub states: Vec<StateRead>,
    pub holds: Vec<Hold>,
    pub tampers: Vec<Tamper>,
}

/// One call of an append. An ambiguous one is repeated, with the same `request`.
#[derive(Clone, Debug)]
pub struct Append {
    /// What it was: the same for every repetition.
    pub request: u64,
    /// The user's transaction it was part of.
    pub transaction: Option<u64>,
    pub begun: Moment,
    pub ended: Moment,
    /// The highest position that its writer had read, or was acknowledged, before it began.
    pub seen: u64,
    pub parts: Vec<Part>,
    pub outcome: Outcome,
    /// A savepoint before it was rolled back to after it: it must leave nothing.
    pub undone: bool,
}

/// The events of an append for one stream.
#[derive(Clone, Debug)]
pub struct Part {
    pub stream: u32,
    pub expected: Expect,
    pub marks: Vec<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    Any,
    Exists,
    NoStream,
    Exact(u64),
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Acknowledged. For each part the stream's version after it, and its last position. In a
    /// transaction of the user's it holds only if that commits.
    Done { repeated: bool, versions: Vec<u64>, positions: Vec<u64> },
    /// Refused: the stream was at another version. Certainly not done.
    Conflict { stream: u32, actual: u64 },
    /// Refused: the event at this position stands against its condition. Certainly not done.
    Overtaken { position: u64 },
    /// Refused: a stream was archived or tombstoned, by the mark of this number. Certainly not done.
    Closed { by: u64, forever: bool },
    /// Certainly not done.
    Failed,
    /// Nobody knows: the answer was lost, or the caller went away.
    Unknown,
}

/// A transaction of the user's with appends in it.
#[derive(Clone, Debug)]
pub struct Transaction {
    pub id: u64,
    pub begun: Moment,
    pub ended: Moment,
    pub commit: Commit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Commit {
    Done,
    RolledBack,
    Unknown,
}

/// One page that a reader of the settled order was given.
#[derive(Clone, Debug)]
pub struct Page {
    pub reader: u32,
    /// Counts the lives of a reader: one that lost its session begins anew at the last event that
    /// was delivered to it.
    pub life: u32,
    pub begun: Moment,
    pub ended: Moment,
    pub after: u64,
    /// Every event up to here was delivered, says the page.
    pub through: u64,
    pub events: Vec<Seen>,
}

/// An event as it was delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    pub position: u64,
    pub stream: u32,
    pub version: u64,
    pub mark: u64,
    /// Whether its payload is byte for byte what was appended.
    pub intact: bool,
}

/// A read of one stream, or of its row in a view.
#[derive(Clone, Debug)]
pub struct Load {
    pub kind: LoadKind,
    pub begun: Moment,
    pub ended: Moment,
    pub stream: u32,
    /// The stream's version as it was read: how many events the state holds.
    pub version: u64,
    /// The sum of the cents of these events.
    pub cents: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadKind {
    /// The aggregate: as new as every append that was acknowledged before.
    State,
    /// A view's row, `fresh`: the same promise.
    Fresh,
    /// A view's row `at_least` as new as the token of this position.
    AtLeast(u64),
    /// A view's row as it is: some earlier state, whole.
    AsItIs,
}

/// A sum over all events in one statement. Appends of several streams move money, so every sum of
/// whole appends is what was paid in.
#[derive(Clone, Copy, Debug)]
pub struct Sum {
    pub begun: Moment,
    pub ended: Moment,
    pub cents: i64,
    pub events: u64,
}

/// A view with its checkpoints, in one snapshot.
#[derive(Clone, Debug)]
pub struct ViewShot {
    pub view: String,
    pub begun: Moment,
    pub ended: Moment,
    /// Modulus, remainder and position of each slice class.
    pub checkpoints: Vec<(u16, u16, u64)>,
    /// By row key: cents, and how many events the row holds.
    pub rows: BTreeMap<String, (i64, u64)>,
}

/// An append was held open on purpose; what the readers' blocker said, and what readers did.
#[derive(Clone, Debug)]
pub struct Stall {
    /// The backend that holds the append open, or the name of its prepared transaction.
    pub holder: String,
    pub opened: Moment,
    pub closed: Moment,
    /// What `blocker` named meanwhile; empty if nothing.
    pub named: String,
    /// Whether the transaction holds an append, or is one that must stall nobody.
    pub appends: bool,
    /// The highest position a probe reader was given, before and while it was open.
    pub before: u64,
    pub reached: u64,
    /// What had been acknowledged when `reached` was read (with patience before).
    pub acknowledged: u64,
}

/// An event that a projection refuses, and where it stopped.
#[derive(Clone, Debug)]
pub struct Poison {
    pub projection: String,
    pub mark: u64,
    pub stream: u32,
    /// What the checkpoint said: the position at which the class stopped, if it did.
    pub stopped_at: Option<u64>,
    /// Whether the other classes of it went on meanwhile.
    pub others_moved: bool,
}

/// Something that was done to the system.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Its kind, as the last line counts it.
    pub kind: &'static str,
    pub begun: Moment,
    pub ended: Moment,
    pub detail: String,
}

/// What is in the database when everything has healed: the truth that the history is held against.
#[derive(Debug, Default)]
pub struct Truth {
    /// All events, by position.
    pub events: Vec<Stored>,
    /// The views' rows: by view, then by row key, cents and how many events.
    pub rows: BTreeMap<String, BTreeMap<String, (i64, u64)>>,
    /// What the batch handler wrote, in the order of its writing.
    pub effects: Vec<Effect>,
    /// Every change of a checkpoint, in the order in which they were made.
    pub audit: Vec<CheckpointChange>,
    /// What was left behind, in words; nothing if all is well.
    pub residue: Vec<String>,
    /// Who did not come back after everything had healed, in words.
    pub wedged: Vec<String>,
    /// Errors and ends that no fault explains, in words.
    pub surprises: Vec<String>,
    /// The marks of all streams, by stream and order.
    pub marks: Vec<StoredMark>,
    /// How the rows of the streams stand that are not as they began.
    pub standings: Vec<Standing>,
    /// How many snapshots of aggregates were kept: of none nothing was decided.
    pub snapshots: u64,
}

/// An event as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    pub position: u64,
    pub stream: u32,
    pub version: u64,
    pub slice: u16,
    pub mark: u64,
    pub cents: i64,
    pub intact: bool,
}

/// One event that the batch handler took in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effect {
    pub mark: u64,
    pub stream: u32,
    pub version: u64,
    pub position: u64,
}

/// A row of the audit that a trigger on the checkpoints writes, in the transaction of the change.
#[derive(Clone, Debug)]
pub struct CheckpointChange {
    pub projection: String,
    pub modulus: u16,
    pub remainder: u16,
    /// The role of the session: each worker process has one of its own.
    pub role: String,
    pub old_epoch: u64,
    pub new_epoch: u64,
    pub old_position: u64,
    pub new_position: u64,
}
