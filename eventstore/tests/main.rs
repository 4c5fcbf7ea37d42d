//! What the event store promises, attacked on real servers: interleavings by explicit transactions,
//! waits seen in the lock table, never a sleep that hopes.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

mod attempts;
mod backward;
mod boundaries;
mod cancellation;
mod clusters;
mod cqrs_es;
mod crashes;
mod draws;
mod event_types;
mod events;
mod expected;
mod group;
mod groups;
mod imports;
mod kept;
mod lists;
mod load;
mod marks;
mod migrations;
mod plans;
mod positions;
mod prepared;
mod readers;
mod reads;
mod repeats;
mod retention;
mod schedules;
mod segments;
mod settled;
mod slices;
mod snapshots;
mod standby;
mod statements;
mod subscriptions;
mod synchronous;
mod transactions;
