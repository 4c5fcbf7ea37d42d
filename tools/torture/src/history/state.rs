//! States of aggregates, as they were loaded or decided on.

use super::Moment;

#[derive(Clone, Debug)]
pub struct StateRead {
    pub stream: u32,
    pub begun: Moment,
    pub ended: Moment,
    pub found: Folded,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Folded {
    /// At a version: how many events it holds, and the sum of their cents.
    State { version: u64, events: u64, cents: i64 },
    /// Refused, for the stream was cut by the mark of this number.
    Truncated { by: u64 },
}
