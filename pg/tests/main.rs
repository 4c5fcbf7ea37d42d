//! What `foldlog-pg` promises, against real servers.

mod testing;
