//! Projections: read models folded from events, and the workers that keep them.
//!
//! A read model and its checkpoint change in one transaction, and the checkpoint only moves for the
//! worker that claimed it last: every event counts exactly once, whatever dies in between.
//!
//! In reading order: a [`Registered`] view or [`Projection`] is opened with [`Projections`], which
//! `run`s its workers; [`Views`] reads rows, and [`ReadError`] says why a row is stale.
//!
//! This crate knows events only through `foldlog_core`'s `Source`, so it works on any of them.

mod checkpoint;
mod handler;
mod monitor;
mod progress;
mod projections;
mod registered;
mod stage;
mod table;
mod views;
mod why;
mod worker;
mod workers;

pub use checkpoint::Status;
pub use handler::{Batch, BoxError, Projection};
pub use projections::Projections;
pub use registered::Registered;
pub use views::{Views, ViewsAt};
pub use why::{ReadError, Why};
pub use workers::Workers;

/// Every fixed statement this crate sends, by the name of its file: for tests that prepare them all.
#[doc(hidden)]
pub const STATEMENTS: &[(&str, &str)] = &[
    ("projection_lock", include_str!("../sql/projection_lock.sql")),
    ("projection_read", include_str!("../sql/projection_read.sql")),
    ("projection_insert", include_str!("../sql/projection_insert.sql")),
    ("projection_end", include_str!("../sql/projection_end.sql")),
    ("checkpoint_insert", include_str!("../sql/checkpoint_insert.sql")),
    ("checkpoint_claim", include_str!("../sql/checkpoint_claim.sql")),
    ("checkpoint_renew", include_str!("../sql/checkpoint_renew.sql")),
    ("checkpoint_position", include_str!("../sql/checkpoint_position.sql")),
    ("checkpoint_commit", include_str!("../sql/checkpoint_commit.sql")),
    ("checkpoint_release", include_str!("../sql/checkpoint_release.sql")),
    ("checkpoint_release_all", include_str!("../sql/checkpoint_release_all.sql")),
    ("checkpoint_read", include_str!("../sql/checkpoint_read.sql")),
];
