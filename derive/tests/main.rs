//! What the derives emit, tested against the traits of `foldlog-core`.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod aggregate;
mod event;
mod event_set;
mod facade;
mod key;
mod ui;
mod view;
