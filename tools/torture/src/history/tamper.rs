//! Attempts to change what is stored.

use super::Moment;

/// A statement under a role that must not.
#[derive(Clone, Debug)]
pub struct Tamper {
    pub role: String,
    pub statement: String,
    pub begun: Moment,
    pub ended: Moment,
    /// Whether it went through. It was rolled back then.
    pub done: bool,
}
