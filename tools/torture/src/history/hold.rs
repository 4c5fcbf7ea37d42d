//! Streams that a stranger's transaction held on purpose, and appends beside them.

use super::Moment;

/// A stream was held by a transaction that appends nothing, while others were appended to by the same
/// process.
#[derive(Clone, Debug)]
pub struct Hold {
    pub stream: u32,
    /// From when to when it was certainly held.
    pub opened: Moment,
    pub closed: Moment,
    pub neighbours: Vec<Neighbour>,
}

/// An append to a stream that nobody else appends to.
#[derive(Clone, Copy, Debug)]
pub struct Neighbour {
    pub stream: u32,
    pub begun: Moment,
    /// When it was answered, or given up.
    pub ended: Moment,
    pub acknowledged: bool,
}
