//! Positions: places in the settled order of a log.

use std::fmt;

/// A place in a log: ordered, sparse, and meaningful only within one store.
///
/// Programs hold [`Token`](crate::Token)s, which also say which store they belong to; a bare
/// position is for those who write a [`Source`](crate::Source) or a consumer of one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position(u64);

impl Position {
    /// Before the first event.
    pub const START: Self = Self(0);

    /// A position by its number.
    #[must_use]
    pub const fn new(position: u64) -> Self {
        Self(position)
    }

    /// The number. No arithmetic on it means anything: numbers are skipped.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
