//! G2: what was acknowledged is stored, where and as it was acknowledged.

use super::Finding;
use super::calls::{Call, Effect};
use super::case::Case;
use super::rule::Rule;
use crate::history::{Outcome, Part};

struct Rules {
    missing: Rule,
    other: Rule,
    /// A repetition that was answered otherwise breaks another promise.
    other_repeat: Rule,
}

pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    let mut rules =
        Rules { missing: Rule::new("G2"), other: Rule::new("G2"), other_repeat: Rule::new("G3") };
    let made = case.origins.iter().flat_map(|origin| origin.calls);
    for call in made.filter(|call| call.effect == Effect::Made) {
        check_call(case, call, &mut rules);
    }
    let mut findings = rules.missing.findings();
    findings.extend(rules.other.findings());
    findings.extend(rules.other_repeat.findings());
    findings
}

fn check_call(case: &Case<'_>, call: &Call<'_>, rules: &mut Rules) {
    let Outcome::Done { repeated, versions, positions } = &call.append.outcome else { return };
    let marks = || call.append.parts.iter().flat_map(|part| &part.marks).copied();
    let missing = || marks().filter(|mark| case.facts.of_mark(*mark).is_none());
    if missing().next().is_some() {
        rules.missing.broken(|| {
            let missing: Vec<u64> = missing().take(8).collect();
            let text = format!("acknowledged, and not stored: marks {missing:?}");
            (text, case.excerpt().call(call.append).lines())
        });
        return;
    }
    let answers = versions.iter().zip(positions);
    let fits =
        call.append.parts.len() == versions.len().min(positions.len())
            && call.append.parts.iter().zip(answers).all(|(part, (version, position))| {
                is_as_acknowledged(case, part, *version, *position)
            });
    if fits {
        return;
    }
    let rule = if *repeated { &mut rules.other_repeat } else { &mut rules.other };
    rule.broken(|| {
        let text = format!("append {} is not stored as acknowledged", call.append.request);
        let stored = marks().filter_map(|mark| case.facts.of_mark(mark)).take(8);
        let excerpt = case.excerpt().call(call.append);
        (text, stored.fold(excerpt, |excerpt, fact| excerpt.stored(fact.stored)).lines())
    });
}

fn is_as_acknowledged(case: &Case<'_>, part: &Part, version: u64, position: u64) -> bool {
    let Some(last) = part.marks.last() else { return true };
    case.facts.of_mark(*last).is_some_and(|fact| {
        let stored = fact.stored;
        (stored.stream, stored.version, stored.position) == (part.stream, version, position)
    })
}
