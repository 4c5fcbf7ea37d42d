//! The offline checker: decides from the recorded history and the final truth whether the guarantees
//! held. It shares no code with what it checks.
//!
//! In reading order: `calls` says what each recorded call may have done; `facts` ties every stored
//! event to the calls it came from, with the moments between which it came to be; `logs` are the
//! facts by stream. Each of the other modules decides one guarantee, or one side of it. What one
//! can't decide, and passes, its first lines say.

mod atomic;
mod calls;
mod case;
mod closed;
mod conditions;
mod conflicts;
mod cuts;
mod deeds;
mod delivery;
mod durable;
mod effects;
mod excerpt;
mod expected;
mod facts;
mod fence;
mod fidelity;
mod folds;
mod labels;
mod loads;
mod logs;
mod marks;
mod order;
mod poisons;
mod remains;
mod repeats;
mod rule;
mod shots;
mod stalls;
mod standing;
mod streams;
mod sums;
mod tampers;
mod views;
mod waits;

#[cfg(test)]
mod tests;

use crate::history::{History, Truth};
use case::Case;

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

const RULES: [fn(&Case<'_>) -> Vec<Finding>; 24] = [
    atomic::check,
    sums::check,
    durable::check,
    repeats::check,
    streams::check,
    conflicts::check,
    loads::check,
    conditions::check,
    order::check,
    delivery::check,
    stalls::check,
    views::check,
    shots::check,
    effects::check,
    fence::check,
    fidelity::check,
    poisons::check,
    remains::check,
    closed::check,
    cuts::check,
    folds::check,
    standing::check,
    waits::check,
    tampers::check,
];

/// All findings.
#[must_use]
pub fn check(history: &History, truth: &Truth) -> Vec<Finding> {
    let calls = calls::of(history);
    let origins = calls::origins(&calls);
    let facts = facts::Facts::of(history, truth, &origins);
    let case = Case::new(history, truth, &origins, &facts);
    RULES.iter().flat_map(|rule| rule(&case)).collect()
}
