//! Views: rows folded from events, one per key.

mod keys;
mod route;

pub use keys::Keys;
pub use route::{ByKeys, ByStream, Exact, Route};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::event::{EventSet, Recorded};
use crate::key::Key;

/// The row of a view: a struct with a key. Derive it.
///
/// foldlog makes its table, `foldlog_view.<name>`, with a column per field, and keeps it.
pub trait View: Serialize + DeserializeOwned + Send + Sync + Sized + 'static {
    /// What names a row: the type of the `#[key]` field, or a tuple of several.
    type Key: Key;
    /// [`ByStream`] for `#[key(stream)]`, [`ByKeys`] for `#[key]`.
    type By;
    /// The name of the view and of its table.
    const NAME: &'static str;
    /// Raise it when the meaning of the rows changes: the view is then built anew.
    const VERSION: u32;
    /// Into how many slice classes (1, 4 or 16) its work is divided.
    const CLASSES: u16;
    /// The columns of the table, in the order of the fields.
    const COLUMNS: &'static [Column];

    /// A row before its first event: the key, and every other field from its `Default`.
    fn blank(key: Self::Key) -> Self;
}

/// A column of a view's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Column {
    /// The name, as serde writes the field.
    pub name: &'static str,
    /// The type of PostgreSQL.
    pub sql_type: &'static str,
    /// Whether it is part of the key.
    pub key: bool,
}

/// How a row takes in events.
///
/// # Contract
///
/// `apply` is pure: the same events in the same order give the same row. Effects belong into a
/// [batch handler](https://docs.rs/foldlog) or behind an outbox, for a rebuild applies every event
/// again.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a view that folds events",
    label = "does not say how its rows take in events",
    note = "derive `View` on it and write `impl Fold for {Self}`"
)]
pub trait Fold: View {
    /// What it reads: one event type, or a union.
    type Event: EventSet;

    /// Takes in an event, and says whether the row remains.
    fn apply(&mut self, event: &Recorded<Self::Event>) -> Row;
}

/// Which rows an event touches: only for views with a plain `#[key]`.
#[diagnostic::on_unimplemented(
    message = "the rows of `{Self}` have a key of their own, but nothing says which events touch \
               which row",
    label = "needs `Keyed`",
    note = "write `impl Keyed for {Self} {{ fn keys(..) }}`, or mark the key `#[key(stream)]` if it \
            is the stream's id"
)]
pub trait Keyed: Fold {
    /// The keys of the rows that the event touches. Pure, like `apply`.
    fn keys(event: &Recorded<Self::Event>) -> Keys<Self::Key>;
}

/// What becomes of a row after an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Row {
    /// It stays, as it is now.
    Keep,
    /// It is removed. A later event for the same key begins a blank one.
    Delete,
}
