//! What `foldlog-pg` promises, against real servers.

// The lint spares functions that are marked as tests, and not those that these call.
#![allow(clippy::unwrap_used)]

mod cascade;
mod errors;
mod listening;
mod login;
mod own_server;
mod places;
mod pool;
mod processes;
mod testing;
