//! # What it consists of
//!
//! `given` and what follows from it tests aggregates, `given_events` commands with a boundary.

#[cfg(feature = "eventstore")]
mod decided;
#[cfg(feature = "eventstore")]
mod events;
#[cfg(feature = "eventstore")]
mod happened;
#[cfg(feature = "eventstore")]
mod past;

pub use foldlog_core::given::{
    Fixture, Given, When, given, given_fixture, given_id, round_trips, snapshots_agree,
};

#[cfg(feature = "eventstore")]
pub use decided::WhenDecided;
#[cfg(feature = "eventstore")]
pub use events::{GivenEvents, given_events};
