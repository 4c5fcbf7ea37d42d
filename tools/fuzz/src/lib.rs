//! Targets: bytes go in, and what a decoder makes of them is held against what must be true of it.
//!
//! The tests replay a corpus and mutations of it; `cargo xtask fuzz` lets a fuzzer look for more.

// A target says what is wrong by a panic.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is a finding")]

mod domain;
mod input;
mod judge;
mod targets;

pub use targets::{TARGETS, Target};

/// Runs the target of this name.
///
/// # Panics
///
/// If what must hold does not, or there is no such target.
pub fn run(name: &str, data: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    let Some(target) = target else { panic!("there is no target {name}") };
    (target.run)(data);
}
