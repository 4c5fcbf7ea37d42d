//! What the workers and views promise, attacked on real servers: interleavings by explicit locks and
//! gates, states seen in the tables, never a sleep that hopes.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

// The derives can't depend on the facade: this crate takes its name, and has its hidden module.
extern crate self as foldlog;

mod __private {
    pub(crate) use foldlog_core::derived::*;
    pub(crate) use foldlog_core::*;
}

mod domain;
mod hand;
mod support;

mod ambiguous;
mod cancellation;
mod classes;
mod crashes;
mod fences;
mod fresh;
mod poison;
mod shutdown;
mod tables;
mod versions;
mod waits;
mod watching;
