//! What a decision may know besides the state.

use std::time::SystemTime;

use uuid::Uuid;

use super::{Decider, IdOf};
use crate::metadata::Metadata;

/// What a decision may know besides the state: which stream, how far, what time it is, and what the
/// command was sent with.
pub struct Context<A: Decider> {
    id: IdOf<A>,
    version: u64,
    now: SystemTime,
    metadata: Metadata,
    command_id: Option<Uuid>,
}

impl<A: Decider> Context<A> {
    /// A context; `execute` makes its own, tests make theirs.
    pub fn new(id: IdOf<A>, version: u64, now: SystemTime) -> Self {
        Self { id, version, now, metadata: Metadata::new(), command_id: None }
    }

    /// With what the command was sent with. An id is the cause of what the command does, unless the
    /// metadata names another one.
    #[must_use]
    pub fn with_command(mut self, id: Option<Uuid>, metadata: Metadata) -> Self {
        self.command_id = id;
        self.metadata = metadata;
        if let (Some(id), None) = (id, &self.metadata.causation_id) {
            self.metadata.causation_id = Some(id.to_string());
        }
        self
    }

    /// The same at another version: for the next decision on the command.
    #[must_use]
    pub fn with_version(mut self, version: u64) -> Self {
        self.version = version;
        self
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

    /// The time of the decision, by the clock of the app. A retry sees the same time.
    pub fn now(&self) -> SystemTime {
        self.now
    }

    /// What is recorded beside each event of the command: the metadata that it was sent with, and if
    /// that names no cause, the command's id as the cause.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The id that the command was sent with, under which it is done once.
    pub fn command_id(&self) -> Option<Uuid> {
        self.command_id
    }
}

impl<A: Decider> std::fmt::Debug for Context<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context")
            .field("id", &self.id)
            .field("version", &self.version)
            .field("now", &self.now)
            .field("command_id", &self.command_id)
            .finish_non_exhaustive()
    }
}
