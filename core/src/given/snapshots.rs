//! A state that was written down in between is as good as one that was folded in one go.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::stored::Stored;
use super::tree::Tree;
use super::{fold, given};
use crate::decider::Decider;

/// Checks that a state may be stored: written as JSON and read back after any of the events, and
/// the rest folded on top, it is the same as folded from all of them.
///
/// The states are compared as JSON, so a field that serde skips is not seen, unless a later event
/// shows it; [`Given::with_snapshots`](super::Given::with_snapshots) compares decisions too. The
/// work grows with the square of the number of events.
///
/// # Panics
///
/// If the states differ, or one can't be written or read; the text names after how many events, and
/// the field. As [`given`](super::given) for the events themselves.
#[track_caller]
pub fn snapshots_agree<A>(events: impl IntoIterator<Item = A::Event>)
where
    A: Decider + Serialize + DeserializeOwned,
{
    drop(given::<A>(events).with_snapshots());
}

/// How a state is written and read, for code that does not know that it can be.
pub(super) struct Snapshots<A> {
    write: fn(&A) -> Result<String, serde_json::Error>,
    read: fn(&str) -> Result<A, serde_json::Error>,
}

impl<A: Decider> Snapshots<A> {
    pub(super) fn new() -> Self
    where
        A: Serialize + DeserializeOwned,
    {
        Self {
            write: |state| serde_json::to_string(state),
            read: |json| serde_json::from_str(json),
        }
    }

    /// The state after all events, by way of a snapshot after the first few.
    pub(super) fn restored(&self, events: &[Stored<A::Event>], split: usize) -> Result<A, String> {
        let (head, tail) = events.split_at_checked(split).unwrap_or((events, &[]));
        let json = self.written(&fold::<A>(head), split)?;
        let mut state = (self.read)(&json)
            .map_err(|cause| format!("a snapshot after {split} events can't be read: {cause}"))?;
        for stored in tail {
            state.evolve(&stored.event);
        }
        Ok(state)
    }

    /// Compares all ways to the state.
    pub(super) fn check(&self, events: &[Stored<A::Event>]) -> Result<(), String> {
        let count = events.len();
        let tree = |json: &str| {
            Tree::read(json).map_err(|cause| format!("a snapshot is no JSON: {cause}"))
        };
        let whole = tree(&self.written(&fold::<A>(events), count)?)?;
        for split in 0..=count {
            let restored = self.written(&self.restored(events, split)?, count)?;
            if let Some(difference) = whole.difference(&tree(&restored)?) {
                return Err(format!(
                    "a snapshot after {split} of {count} events leads to another state: {} is {} \
                     by way of the snapshot, {} without",
                    difference.path, difference.right, difference.left
                ));
            }
        }
        Ok(())
    }

    fn written(&self, state: &A, events: usize) -> Result<String, String> {
        (self.write)(state)
            .map_err(|cause| format!("the state after {events} events is no JSON: {cause}"))
    }
}
