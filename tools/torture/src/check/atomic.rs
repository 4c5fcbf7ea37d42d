//! G1: what belongs together is stored together, and what was rolled back is not stored.
//!
//! Not decided: whether appends of a transaction whose commit is unknown belong together, where one
//! of them was also tried in another way.

use std::collections::BTreeMap;

use super::Finding;
use super::calls::{Effect, Origin, Unit};
use super::case::Case;
use super::facts::Fact;
use super::rule::Rule;
use crate::history::Outcome;

pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    let mut torn = Rule::new("G1");
    let mut left = Rule::new("G1");
    for origin in case.origins {
        check_request(case, origin, &mut torn);
        check_remains(case, origin, &mut left);
    }
    let mut findings = torn.findings();
    findings.extend(transactions(case));
    findings.extend(left.findings());
    findings
}

fn check_request(case: &Case<'_>, origin: &Origin<'_>, torn: &mut Rule) {
    let stored = || origin.marks().map(|mark| case.facts.of_mark(mark));
    let (Some(there), true) = (stored().flatten().next(), stored().any(|fact| fact.is_none()))
    else {
        return;
    };
    torn.broken(|| {
        let missing: Vec<u64> =
            origin.marks().filter(|mark| case.facts.of_mark(*mark).is_none()).collect();
        let request = there.origin.and_then(Origin::first).map_or(0, |append| append.request);
        let text = format!("append {request} is stored in part: without marks {missing:?}");
        (text, case.excerpt().calls(origin.calls).stored(there.stored).lines())
    });
}

/// An append of which every call was undone, rolled back or refused has left nothing.
fn check_remains(case: &Case<'_>, origin: &Origin<'_>, left: &mut Rule) {
    let was_done =
        origin.calls.iter().any(|call| matches!(call.append.outcome, Outcome::Done { .. }));
    if origin.is_possible() || !was_done {
        return;
    }
    let Some(fact) = origin.marks().find_map(|mark| case.facts.of_mark(mark)) else { return };
    left.broken(|| {
        let text = format!(
            "mark {} is stored, though the append was rolled back or undone",
            fact.stored.mark
        );
        (text, case.excerpt().calls(origin.calls).stored(fact.stored).lines())
    });
}

/// One request of a transaction, and whether it is stored.
type Member<'a> = (&'a Origin<'a>, Option<&'a Fact<'a>>);

fn transactions(case: &Case<'_>) -> Vec<Finding> {
    let mut members: BTreeMap<u64, Vec<Member<'_>>> = BTreeMap::new();
    for origin in case.origins {
        let Unit::Transaction(id) = origin.unit else { continue };
        // An append whose own answer was lost may be the part that failed.
        let counts = origin.calls.iter().any(|call| {
            call.effect != Effect::Nothing && call.is_first() && call.append.transaction == Some(id)
        });
        if let (Some(mark), true) = (origin.marks().next(), counts) {
            members.entry(id).or_default().push((origin, case.facts.of_mark(mark)));
        }
    }
    let mut torn = Rule::new("G1");
    for (id, members) in members {
        let there = members.iter().find_map(|(origin, fact)| fact.map(|fact| (origin, fact)));
        let gone = members.iter().find(|(_, fact)| fact.is_none());
        if let (Some((whole, fact)), Some((lost, _))) = (there, gone) {
            torn.broken(|| {
                let text =
                    format!("transaction {id} is stored in part: an append of it is missing");
                let shown = case.excerpt().calls(lost.calls).calls(whole.calls);
                (text, shown.stored(fact.stored).lines())
            });
        }
    }
    torn.findings()
}
