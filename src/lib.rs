//! Event sourcing and CQRS on PostgreSQL: commands become events in append-only streams, events get
//! one settled order, and that order is folded into read models in your own database.
//!
//! # In reading order
//!
//! A [`Key`](trait@Key) names a stream. An [`Event`](trait@Event) is what happened in it; a
//! [`Decider`] folds the events of a stream to a state, and [`Handles`] a command on that state by
//! deciding which events happen next. All of that is pure and yours. The rest is the `App`:
//!
//! - `App::execute` loads, decides, appends, and decides again after a conflict;
//! - `App::decide` does it for a [`Boundary`], which rests on events of many streams, by a [`Model`] of
//!   each thing it has to know;
//! - `App::execute_with` looks things up first, and decides on what it found;
//! - `Execute::within` does the same in a transaction of your own, beside your own rows;
//! - `Execute::command_id` makes a repeated command answer its first reply;
//! - `App::append` puts events into several streams at once, without a command;
//! - `App::load` gives the state of one stream, `App::load_at_version` and `App::load_at_time` an
//!   earlier one;
//! - `App::archive`, `truncate_before`, `truncate_to_summary` and `tombstone` end streams, or begin
//!   them later;
//! - `App::export` takes a stored stream out as a fixture for a test; see [`testing`];
//! - `EventStore::import` takes in a history in bulk, also that of cqrs-es; see `import`;
//! - `App::view` reads a [`View`](trait@View), rows [`Fold`]ed from events by workers that the app
//!   runs: as they are, at least as new as a token, or exact.
//!
//! Long streams are loaded behind snapshots, and busy ones decided on from a cache, where you ask for it:
//! [`AggregateCache`], and `snapshot_every` of the derive [`Aggregate`](derive@Aggregate).
//!
//! # What is promised
//!
//! - An append is visible whole or not at all, however many streams it spans.
//! - A repeated append or command, known by its id, changes nothing and answers as it did first, at
//!   any later time and in any process.
//! - A decision is stored only if nothing was appended to its stream since the state it was taken on, or
//!   within its boundary.
//! - A reader of the settled order never passes an event that has not committed yet.
//! - A read model and its checkpoint change in one transaction: every event counts exactly once.
//! - Dropping a future at any await leaves its work done or not done, never in part.
//!
//! # Features
//!
//! - `eventstore` (default): the `App`, the event store.
//! - `projections` (default): views and their workers.
//! - `tokio-postgres`: `Execute::within_tokio`, for transactions of tokio-postgres.
//! - `schema`: event views, SQL views of stored events by type.
//! - `embedded`: `Db::from_env` fetches a PostgreSQL where the machine has none.

#[cfg(feature = "eventstore")]
mod app;
#[cfg(feature = "eventstore")]
mod append;
#[cfg(feature = "eventstore")]
mod boundary;
#[cfg(doctest)]
mod chapters;
#[cfg(feature = "eventstore")]
mod decide;
#[cfg(feature = "eventstore")]
mod execute;
#[cfg(feature = "eventstore")]
mod export;
#[cfg(feature = "eventstore")]
mod loaded;
#[cfg(feature = "eventstore")]
mod mark;
#[cfg(feature = "eventstore")]
mod pending;
#[cfg(feature = "schema")]
pub mod schema;

// Names and events.
pub use foldlog_core::{
    Encoded, Event, EventSet, Expected, Key, Metadata, RawEvent, Recorded, StreamName, Tenant,
};
// Aggregates.
pub use foldlog_core::{
    CommandOf, Context, Decided, Decider, Decision, Handles, IdOf, Identifies, Retry, SnapshotRule,
    SnapshotState,
};
// What decisions beyond one stream rest on.
pub use foldlog_core::{Model, Models, Query, QueryItem, Tag, TagField, TagKey};
// Views.
pub use foldlog_core::{ByKeys, ByStream, Column, Exact, Fold, Keyed, Keys, Route, Row, View};
// Errors, and proofs of "up to here".
pub use foldlog_core::{Error, ErrorKind, StoreId, Token};
// Sources of settled events.
pub use foldlog_core::{Filter, Page, Position, Reader, SliceClass, Source, StreamTail};

pub use foldlog_derive::{Aggregate, Event, EventSet, Key, View};

pub use foldlog_pg::{Db, migrate_roles};

#[cfg(feature = "eventstore")]
pub use foldlog_eventstore::{
    AppendError, Condition, Cut, EventHeader, EventStore, IntoEvents, Mark, MarkKind, Receipt,
    Request, Retention, Retired, SNAPSHOT_BYTES_MAX, Segment, Since, Snapshot, SnapshotSchema,
    StreamAppended, StreamEvents, StreamInfo, StreamLoad, StreamPage, StreamState, Subscription,
    any, exists, no_stream,
};

#[cfg(feature = "tokio-postgres")]
pub use foldlog_eventstore::TokioClient;

#[cfg(feature = "projections")]
pub use foldlog_projections::{
    Batch, BoxError, Projection, Projections, ReadError, Registered, Status, Views, ViewsAt, Why,
    Workers,
};

#[cfg(feature = "eventstore")]
pub use crate::app::{AggregateCache, App, AppBuilder};
#[cfg(feature = "eventstore")]
pub use crate::append::{Append, AppendIn, Appended};
#[cfg(feature = "eventstore")]
pub use crate::boundary::{Boundary, BoundaryContext, Concluded};
#[cfg(feature = "eventstore")]
pub use crate::decide::{Decide, DecideWithin, Done};
#[cfg(feature = "eventstore")]
pub use crate::execute::{
    Execute, ExecuteError, Executed, Of, Own, Prepare, Prepared, Ready, Retried, Sends, Within,
};
#[cfg(feature = "eventstore")]
pub use crate::loaded::Loaded;
#[cfg(feature = "eventstore")]
pub use crate::mark::{Marking, MarkingIn};
#[cfg(feature = "eventstore")]
pub use crate::pending::Pending;

/// What a program that models, decides and reads needs: `use foldlog::prelude::*;`.
///
/// [`Error`] is left out, for most programs have one of their own.
pub mod prelude {
    pub use crate::{
        Aggregate, Context, Db, Decided, Decider, Decision, Event, EventSet, Expected, Fold,
        Handles, Key, Keyed, Keys, Metadata, Model, Query, Recorded, Retry, Row, StreamName,
        Tenant, Token, View,
    };
    #[cfg(feature = "eventstore")]
    pub use crate::{
        App, AppendError, Boundary, BoundaryContext, Concluded, ExecuteError, Prepare, any, exists,
        no_stream,
    };
    #[cfg(feature = "projections")]
    pub use crate::{Batch, BoxError, Projection, ReadError, Why};
}

/// Given, when, then: tests of decisions without a database.
///
#[doc = include_str!("../docs/testing.md")]
pub mod testing;

/// Bulk import: a history with its versions, times and ids, and what cqrs-es has stored.
///
#[doc = include_str!("../docs/importing.md")]
#[cfg(feature = "eventstore")]
pub mod import {
    pub use foldlog_eventstore::{
        CqrsEs, CqrsEsCategory, CqrsEsError, CqrsEsReport, CqrsEsType, HistoricalEvent, Import,
        ImportError, ImportProgress, Imported, PayloadForm,
    };

    #[doc = include_str!("../docs/coming-from-cqrs-es.md")]
    pub mod coming_from_cqrs_es {}
}

/// What the derives name. Not part of the public interface.
#[doc(hidden)]
pub mod __private {
    pub use foldlog_core::derived::*;
    pub use foldlog_core::*;
}

/// The listings of this chapter are compiled.
#[cfg(doctest)]
#[doc = include_str!("../docs/lifecycle.md")]
struct Lifecycle;

/// The example of the README is compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// So is that of the page on snapshots.
#[cfg(doctest)]
#[doc = include_str!("../docs/snapshots.md")]
struct SnapshotsPage;
