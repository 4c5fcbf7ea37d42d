//! How events find their rows, decided by the type of the key.

use crate::error::Error;
use crate::event::{Event, Recorded};
use crate::stream::{StreamName, Tenant};

use super::{Fold, Keyed, Keys};

/// The row's key is the id of the stream: one row per stream, and nothing else touches it.
#[derive(Debug)]
pub enum ByStream {}

/// The row has a key of its own, and several streams may touch it.
#[derive(Debug)]
pub enum ByKeys {}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::ByStream {}
    impl Sealed for super::ByKeys {}
}

/// How the events of a view find their rows. Sealed: [`ByStream`] or [`ByKeys`].
pub trait Route<V: Fold>: sealed::Sealed {
    /// Whether the key determines the slice, so that classes never share a row.
    const PARALLEL: bool;

    /// The keys of the rows that an event touches.
    fn keys(event: &Recorded<V::Event>) -> Keys<V::Key>;

    /// The stream whose events alone make the row; `None` if several streams may touch it.
    ///
    /// # Errors
    ///
    /// As [`StreamName::of`].
    fn stream(tenant: &Tenant, key: &V::Key) -> Result<Option<StreamName>, Error>;
}

impl<V: Fold> Route<V> for ByStream
where
    V::Event: Event<Id = V::Key>,
{
    const PARALLEL: bool = true;

    fn keys(event: &Recorded<V::Event>) -> Keys<V::Key> {
        Keys::one(event.stream.clone())
    }

    fn stream(tenant: &Tenant, key: &V::Key) -> Result<Option<StreamName>, Error> {
        StreamName::of::<V::Event>(tenant, key).map(Some)
    }
}

impl<V: Keyed> Route<V> for ByKeys {
    const PARALLEL: bool = false;

    fn keys(event: &Recorded<V::Event>) -> Keys<V::Key> {
        V::keys(event)
    }

    fn stream(_: &Tenant, _: &V::Key) -> Result<Option<StreamName>, Error> {
        Ok(None)
    }
}

/// Views that can be read exactly, without waiting. Sealed: those with `#[key(stream)]`.
#[diagnostic::on_unimplemented(
    message = "`{V}` has no exact read: its rows draw on more than one stream",
    label = "only a view with `#[key(stream)]` can be read `fresh`",
    note = "use `.at_least(&token).get(..)`; only a view with `#[key(stream)]` can be read `fresh`"
)]
pub trait Exact<V>: sealed::Sealed {}

impl<V: Fold> Exact<V> for ByStream {}
