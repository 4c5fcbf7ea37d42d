//! Snapshots on their way to the database: after the answer, and only as many as there is room for.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use foldlog_core::{Error, ErrorKind, Position, SnapshotRule, StreamName};
use foldlog_eventstore::{EventStore, SNAPSHOT_BYTES_MAX, Snapshot, SnapshotSchema};
use serde_json::value::RawValue;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::loaded::Folded;

/// How many wait; those that come while so many do are left out. With the bound on the bytes of one,
/// this bounds the memory.
const WAITING_MAX: usize = 16;
/// How long one may take.
const WRITE_WAIT: Duration = Duration::from_secs(5);
/// How long those that wait at the shutdown may take together.
const ENDING: Duration = Duration::from_secs(2);

/// The way to the task that stores snapshots.
pub(super) struct Snapshots(mpsc::Sender<Taken>);

/// A snapshot that was taken.
pub(super) struct Taken {
    stream: StreamName,
    rule: &'static dyn Rule,
    version: u64,
    position: Position,
    state: String,
}

/// A rule of any aggregate.
trait Rule: Send + Sync {
    fn schema(&self) -> SnapshotSchema<'_>;
    fn reads_back(&self, state: &str) -> bool;
}

impl<A> Rule for SnapshotRule<A> {
    fn schema(&self) -> SnapshotSchema<'_> {
        SnapshotSchema { aggregate: self.aggregate(), hash: self.schema_hash() }
    }

    fn reads_back(&self, state: &str) -> bool {
        // Its serde may be written by hand, and a snapshot is never worth the end of a task.
        catch_unwind(AssertUnwindSafe(|| SnapshotRule::reads_back(self, state))).unwrap_or(false)
    }
}

/// Whether a snapshot is to be taken of a state that came from a version: with the first event at or
/// behind each multiple of the rule's number, so that one that could not be kept is tried again so many
/// events later. Events that came without a command are noticed when there are twice as many of them.
fn is_due<A>(rule: &SnapshotRule<A>, from_version: u64, folded: &Folded<A>) -> bool {
    let every = rule.every();
    let behind = folded.version.saturating_sub(folded.snapshot);
    (behind > 0 && from_version / every < folded.version / every) || behind / 2 >= every
}

impl Snapshots {
    pub(super) fn new() -> (Self, mpsc::Receiver<Taken>) {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        (Self(sender), receiver)
    }

    /// Takes a snapshot if one is due and there is room. Waits for nothing.
    pub(super) fn take<A>(
        &self,
        rule: &'static SnapshotRule<A>,
        stream: &StreamName,
        from_version: u64,
        folded: &mut Folded<A>,
    ) {
        if !is_due(rule, from_version, folded) {
            return;
        }
        let Ok(room) = self.0.try_reserve() else {
            tracing::debug!(%stream, "no snapshot is taken: others wait to be stored, or the app ends");
            return;
        };
        let Folded { version, position, .. } = *folded;
        match rule.write(&folded.state) {
            Ok(state) if state.len() <= SNAPSHOT_BYTES_MAX => {
                folded.snapshot = version;
                let stream = stream.clone();
                room.send(Taken { stream, rule, version, position, state });
            }
            Ok(state) => tracing::warn!(
                %stream, version, bytes = state.len(), most = SNAPSHOT_BYTES_MAX,
                "no snapshot is taken: the state is too large for one"
            ),
            Err(cause) => tracing::warn!(
                %stream, version, fault = ?cause.classify(),
                "no snapshot is taken: serde refuses the state"
            ),
        }
    }
}

/// Stores what is taken until `shutdown`, and what waits then.
pub(super) async fn store(
    store: EventStore,
    mut taken: mpsc::Receiver<Taken>,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    while let Some(Some(taken)) = shutdown.run_until_cancelled(taken.recv()).await {
        taken.store(&store).await;
    }
    taken.close();
    let ending = async {
        while let Some(taken) = taken.recv().await {
            taken.store(&store).await;
        }
    };
    if timeout(ENDING, ending).await.is_err() {
        tracing::debug!("snapshots that waited at the shutdown were left out");
    }
    Ok(())
}

impl Taken {
    /// Best effort: whoever loads the stream next is served without it.
    async fn store(self, store: &EventStore) {
        let Self { stream, rule, version, .. } = &self;
        if !rule.reads_back(&self.state) {
            tracing::warn!(
                %stream, version, aggregate = rule.schema().aggregate,
                "no snapshot is stored: the state is not read back as it was written"
            );
            return;
        }
        let kept = timeout(WRITE_WAIT, self.keep(store)).await.unwrap_or_else(|_| {
            Err(Error::new(ErrorKind::Unavailable, "the server did not answer in time"))
        });
        match kept {
            Ok(true) => {}
            Ok(false) => tracing::debug!(%stream, version, "a newer snapshot was there already"),
            Err(error) => {
                tracing::warn!(%stream, version, %error, "a snapshot could not be stored");
            }
        }
    }

    async fn keep(&self, store: &EventStore) -> Result<bool, Error> {
        let state = RawValue::from_string(self.state.clone()).map_err(|e| {
            Error::new(ErrorKind::Internal, "a state was written that is no JSON").with_source(e)
        })?;
        let Self { version, position, .. } = *self;
        let snapshot = Snapshot { version, position, state };
        store.keep_snapshot(&self.stream, self.rule.schema(), &snapshot).await
    }
}
