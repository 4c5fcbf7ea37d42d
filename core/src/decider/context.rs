//! What a decision may know besides the state.

use std::time::SystemTime;

use super::{Decider, IdOf};

/// What a decision may know besides the state: which stream, how far, and what time it is.
pub struct Context<A: Decider> {
    id: IdOf<A>,
    version: u64,
    now: SystemTime,
}

impl<A: Decider> Context<A> {
    /// A context; `execute` makes its own, tests make theirs.
    pub fn new(id: IdOf<A>, version: u64, now: SystemTime) -> Self {
        Self { id, version, now }
    }

    /// The id of the aggregate.
    pub fn id(&self) -> &IdOf<A> {
        &self.id
    }

    /// The version of its stream: how many events it has.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Whether its stream has no events yet.
    pub fn is_new(&self) -> bool {
        self.version == 0
    }

    /// The time of the decision, by the clock of this machine. A retry sees the same time.
    pub fn now(&self) -> SystemTime {
        self.now
    }
}

impl<A: Decider> std::fmt::Debug for Context<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context")
            .field("id", &self.id)
            .field("version", &self.version)
            .field("now", &self.now)
            .finish()
    }
}
