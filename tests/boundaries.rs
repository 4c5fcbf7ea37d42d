//! Decisions that rest on events of many streams, on real servers.

mod email;
mod kit;
mod number;
mod outcomes;
mod rivals;
pub(crate) mod school;
mod seat;
mod within;
