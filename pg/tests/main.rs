//! What `foldlog-pg` promises, against real servers.

// The lint spares functions that are marked as tests, and not those that these call.
#![allow(clippy::unwrap_used)]

mod cancellation;
mod cascade;
// Only Linux answers on all of 127.0.0.0/8 without being told.
#[cfg(target_os = "linux")]
mod encrypted;
mod errors;
mod failover;
mod listening;
mod login;
mod own_server;
mod places;
mod pool;
mod pooler;
mod processes;
mod segments;
mod testing;
