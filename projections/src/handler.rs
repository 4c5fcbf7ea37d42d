//! Batch handlers: a projection that writes what it likes, in the transaction of its checkpoint.

use foldlog_core::{EventSet, Recorded};
use sqlx::PgConnection;

/// Any error of a handler.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A projection by hand: given a batch of events and the connection of an open transaction.
///
/// # Contract
///
/// - What `apply` writes on `conn`, and only that, is committed together with the checkpoint:
///   exactly once. What it does elsewhere may happen again.
/// - It must not begin, commit or roll back.
/// - Events come in the order of their positions. One clone works on one slice class; with more
///   than one class, the events of one stream always come to the same.
/// - After an error or a panic the transaction is rolled back, and a fresh clone tries again with
///   fewer events, down to one. If that one fails for good, the class stops there.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a projection",
    label = "has no `apply`",
    note = "write `impl Projection for {Self}`, or use `.view::<{Self}>()` if it derives `View`"
)]
pub trait Projection: Send + 'static {
    /// The name, under which its checkpoints are kept.
    const NAME: &'static str;
    /// Raise it to begin anew from the first event. What the old version wrote is yours to remove.
    const VERSION: u32 = 1;
    /// Into how many slice classes (1, 4 or 16) its work is divided.
    const CLASSES: u16 = 1;
    /// What it reads: one event type, or a union.
    type Event: EventSet;

    /// Takes in a batch.
    fn apply(
        &mut self,
        conn: &mut PgConnection,
        batch: &Batch<Self::Event>,
    ) -> impl Future<Output = Result<(), BoxError>> + Send;
}

/// Events on their way to a [`Projection`], in the order of their positions. Never empty.
#[derive(Debug)]
pub struct Batch<E: EventSet>(pub(crate) Vec<Recorded<E>>);

impl<E: EventSet> std::ops::Deref for Batch<E> {
    type Target = [Recorded<E>];

    fn deref(&self) -> &[Recorded<E>] {
        &self.0
    }
}

impl<'a, E: EventSet> IntoIterator for &'a Batch<E> {
    type Item = &'a Recorded<E>;
    type IntoIter = std::slice::Iter<'a, Recorded<E>>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}
