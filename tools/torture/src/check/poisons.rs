//! G17: an event that a projection refuses stops its class at that event, and no other class.
//!
//! Not decided: anything of an event that is not in the truth.

use super::Finding;
use super::case::Case;
use super::rule::Rule;
use crate::history::Poison;

pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    let mut elsewhere = Rule::new("G17");
    let mut spread = Rule::new("G17");
    for poison in &case.history.poisons {
        let Some(fact) = case.facts.of_mark(poison.mark) else { continue };
        let Poison { projection, stopped_at, .. } = poison;
        if *stopped_at != Some(fact.stored.position) {
            elsewhere.broken(|| {
                let at = stopped_at.map_or("nowhere".to_owned(), |at| format!("at {at}"));
                let text = format!(
                    "{projection} stopped {at}, and the event it refuses stands at {}",
                    fact.stored.position
                );
                (text, case.excerpt().stored(fact.stored).lines())
            });
        }
        if !poison.others_moved {
            spread.broken(|| {
                let text =
                    format!("all of {projection} stopped at an event that one class refuses");
                (text, case.excerpt().stored(fact.stored).lines())
            });
        }
    }
    let mut findings = elsewhere.findings();
    findings.extend(spread.findings());
    findings
}
