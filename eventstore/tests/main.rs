//! What the event store promises, attacked on real servers: interleavings by explicit transactions,
//! waits seen in the lock table, never a sleep that hopes.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod support;

mod readers;
mod schedules;
