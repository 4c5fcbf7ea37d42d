//! Marks of streams, and reads of streams that may be marked.

use super::Moment;

/// One call that marks a stream. An ambiguous one is repeated, with the same `number`.
#[derive(Clone, Debug)]
pub struct Marking {
    /// What it was: its reason says it, and whoever is refused by it is told.
    pub number: u64,
    pub stream: u32,
    pub act: Act,
    pub begun: Moment,
    pub ended: Moment,
    pub answer: Answer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    Archive,
    Unarchive,
    Tombstone,
    /// Before a version, whose event may be told to stand for all before it.
    Truncate {
        before: u64,
        summary: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It changed the stream.
    Made,
    /// The stream stood so before.
    AsBefore,
    /// Certainly not done.
    Refused,
    /// Nobody knows.
    Unknown,
}

/// A read of a whole stream, by events.
#[derive(Clone, Debug)]
pub struct StreamRead {
    pub stream: u32,
    pub begun: Moment,
    pub ended: Moment,
    pub found: Found,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Where the stream begins and ends as it is told, whether the first event is a summary, and the
    /// events with their versions and marks.
    Events { first: u64, version: u64, summary: bool, events: Vec<(u64, u64)> },
    /// Refused: by the mark of this number.
    Tombstoned { by: u64 },
}

/// A mark as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredMark {
    pub stream: u32,
    /// Counted in the stream.
    pub order: u64,
    pub act: Act,
    /// The number that its reason says.
    pub number: u64,
}

/// How a stream's row stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    pub stream: u32,
    pub archived: bool,
    pub tombstoned: bool,
    pub first: u64,
    pub summary: bool,
}
