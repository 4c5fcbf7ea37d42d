//! Attacks foldlog with real faults and checks the recorded history.

// Records are read by their fields' names.
#![allow(missing_docs)]

pub mod check;
pub mod domain;
pub mod history;
pub mod recorder;
pub mod worker;
