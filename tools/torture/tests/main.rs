//! The means of attack, each seen to do what it says.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod support;

mod bouncer;
mod crew;
mod faults;
mod proxy;
