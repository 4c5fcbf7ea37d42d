//! Attacks foldlog with real faults and checks the recorded history.

// Records are read by their fields' names.
#![allow(missing_docs)]

pub mod arena;
pub mod arguments;
pub mod book;
pub mod bouncer;
pub mod bug;
pub mod check;
pub mod collect;
pub mod commander;
pub mod crew;
pub mod domain;
pub mod draft;
pub mod fault;
pub mod field;
pub mod history;
pub mod hold;
pub mod look;
pub mod marker;
pub mod plan;
#[cfg(feature = "planted")]
pub mod planted;
pub mod poison;
pub mod proxy;
pub mod reader;
pub mod recorder;
pub mod report;
pub mod schedule;
pub mod stall;
pub mod worker;
pub mod writer;
