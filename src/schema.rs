//! What is stored, for those who ask by SQL: an event view for each type of event.
//!
#![doc = include_str!("../docs/event-views.md")]

mod column;
mod install;
mod name;
mod sql;
mod views;

pub use views::EventViews;
