//! What the derives emit, tested against the traits of `foldlog-core`.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

// The derives can't depend on the facade: this crate takes its name, and has its hidden module.
extern crate self as foldlog;

mod __private {
    pub(crate) use foldlog_core::derived::*;
    pub(crate) use foldlog_core::*;
}

mod aggregate;
mod event;
mod event_set;
mod key;
mod other_path;
mod tag;
mod ui;
mod view;
