//! What a call leaves behind for later ones: the cache, and snapshots.

use std::sync::Arc;

use foldlog_core::{Decider, RawEvent, SnapshotRule, StreamName};

use super::App;
use super::cache::Memory;
use super::snapshots::Snapshots;
use crate::loaded::{Folded, Known};

/// For one call. Only what is committed may be kept.
pub(crate) struct Keeping<'a, A: 'static> {
    memory: Option<Memory<'a, A>>,
    snapshots: Option<(&'static SnapshotRule<A>, &'a Snapshots)>,
}

impl App {
    /// For a call that reads what is committed, and commits what it appends.
    pub(crate) fn keeping<A: Decider>(
        &self,
        rule: Option<&'static SnapshotRule<A>>,
    ) -> Keeping<'_, A> {
        let cache = self.shared.cache.as_ref();
        // Asked before anything is read: what is read over a session that is lost later is not kept.
        let memory = cache.and_then(|cache| cache.memory(self.shared.store.sessions_lost()?));
        Keeping { memory, snapshots: rule.map(|rule| (rule, &self.shared.snapshots)) }
    }
}

impl<A: Decider> Keeping<'_, A> {
    /// For a call in the caller's transaction: it keeps nothing.
    pub(crate) fn nothing() -> Self {
        Self { memory: None, snapshots: None }
    }

    /// Whether it matters what was appended.
    pub(crate) fn anything(&self) -> bool {
        self.memory.is_some() || self.snapshots.is_some()
    }

    /// What is known of a stream without a look at it.
    pub(crate) fn recall(&self, stream: &StreamName) -> Known<A> {
        let recalled = self.memory.as_ref().and_then(|memory| memory.recall(stream));
        recalled.unwrap_or_else(Known::nothing)
    }

    /// Keeps a state that was read.
    pub(crate) fn keep(&self, stream: &StreamName, known: Known<A>) {
        if let Known::Read(mut folded) = known {
            let version = folded.version;
            self.take_snapshot(stream, version, &mut folded);
            if let Some(memory) = &self.memory {
                memory.keep(stream, Arc::new(folded));
            }
        }
    }

    /// The same, for a call that answers with the state.
    pub(crate) fn keep_and_answer(&self, stream: &StreamName, known: Known<A>) -> Folded<A> {
        let Known::Read(mut folded) = known else { return known.into_folded() };
        let version = folded.version;
        self.take_snapshot(stream, version, &mut folded);
        if let Some(memory) = &self.memory {
            memory.keep(stream, Arc::new(folded.copied(memory.copy())));
        }
        folded
    }

    /// Keeps a state that was appended to, with the events as they are read back.
    pub(crate) fn keep_appended(&self, stream: &StreamName, known: Known<A>, events: &[RawEvent]) {
        let version = known.folded().version;
        if let Some(memory) = &self.memory {
            // It is old by now. Nobody else may have it, and then it is not copied.
            memory.forget(stream, version);
        }
        let mut folded = known.into_folded();
        for raw in events {
            if let Err(error) = folded.take_in(raw) {
                tracing::warn!(%error, %stream, "a state is not kept: its new events can't be read");
                return;
            }
        }
        self.take_snapshot(stream, version, &mut folded);
        if let Some(memory) = &self.memory {
            memory.keep(stream, Arc::new(folded));
        }
    }

    fn take_snapshot(&self, stream: &StreamName, from_version: u64, folded: &mut Folded<A>) {
        if let Some((rule, snapshots)) = self.snapshots {
            snapshots.take(rule, stream, from_version, folded);
        }
    }
}
