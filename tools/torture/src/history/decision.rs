//! Decisions over streams: what was asked for, what was read, and by what tags and types events are
//! found.

use super::Moment;

/// A read that a decision rests on; its append is the request of the same number.
#[derive(Clone, Debug)]
pub struct Decision {
    pub request: u64,
    /// The user's transaction in which it was read.
    pub transaction: Option<u64>,
    /// Of the last read, where one went on from another.
    pub begun: Moment,
    pub ended: Moment,
    /// What was asked for: events that match any of these.
    pub items: Vec<Item>,
    /// Up to where everything was settled, said the read.
    pub settled: u64,
    /// In the order in which they were given.
    pub given: Vec<Given>,
}

/// An event matches if it is of one of the kinds (of any, if none is named) and has all the tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    pub kinds: Vec<&'static str>,
    pub tags: Vec<String>,
}

/// An event that a decision was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Given {
    pub position: u64,
    pub mark: u64,
    /// Which items it matches, said the read: one bit each, the first item's the lowest.
    pub matched: u8,
}

/// What an event was appended as. Those of which there is none have no tags, and a kind that nobody
/// asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tagged {
    pub mark: u64,
    pub kind: &'static str,
    pub tags: Vec<String>,
}
