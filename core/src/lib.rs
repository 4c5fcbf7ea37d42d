//! The vocabulary of foldlog and its pure functions: nothing here does input or output.
//!
//! In reading order: a [`Key`] names a [`StreamName`]; an [`Event`] is appended to a stream and read
//! back as [`Recorded`]; a [`Decider`] folds a stream to a state and turns commands into events; a
//! [`View`] folds events to rows; a [`Source`] delivers settled events by [`Position`]; a [`Token`]
//! carries a position to where it is needed. A [`Model`] folds what a [`Query`] selects, over many
//! streams, by the [`Tag`]s of their events. [`given`] tests deciders.
//!
//! Most programs depend on `foldlog`, which re-exports all of it.

mod decider;
mod distinct;
mod error;
mod event;
pub mod given;
mod key;
mod metadata;
mod model;
mod position;
mod query;
mod retry;
mod slice;
mod source;
mod stream;
mod tag;
mod tagged;
mod token;
mod view;

pub use decider::{
    CommandOf, Context, Decided, Decider, Decision, Handles, IdOf, Identifies, SnapshotRule,
    SnapshotState,
};
pub use error::{Error, ErrorKind};
pub use event::{Encoded, Event, EventSet, RawEvent, Recorded};
pub use key::Key;
pub use metadata::Metadata;
pub use model::{Model, Models};
pub use position::Position;
pub use query::{Query, QueryItem};
pub use retry::Retry;
pub use slice::{SLICES, SliceClass, slice_of};
pub use source::{BoxFuture, Filter, Page, Reader, Source, StreamTail};
pub use stream::{Expected, NAME_BYTES_MAX, StreamName, Tenant};
pub use tag::{Tag, TagField, TagKey};
pub use token::{StoreId, Token};
pub use view::{ByKeys, ByStream, Column, Exact, Fold, Keyed, Keys, Route, Row, View};

/// What the derive macros emit calls of. Not part of the public interface.
#[doc(hidden)]
pub mod derived {
    pub use crate::distinct::distinct;
    pub use crate::key::{join, split};
    pub use crate::tagged::{decode, encode, kinds};
}
