//! G3: an append is made once or not at all, however often it is repeated, and a repetition says so.
//!
//! Not decided: whether an answer "repeated" is right where no earlier call is recorded; one call
//! may have been sent twice on its way.

use super::Finding;
use super::calls::{Call, Effect, Origin};
use super::case::Case;
use super::rule::Rule;
use crate::history::{Outcome, Stored};

struct Rules {
    again: Rule,
    refused: Rule,
    failed: Rule,
}

pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    let mut doubled = Rule::new("G3");
    for (first, second) in &case.facts.doubled {
        doubled.broken(|| {
            let text = format!("mark {} is stored twice", first.mark);
            let calls = case.facts.of_mark(first.mark).and_then(|fact| fact.origin);
            let shown = calls.map_or(case.excerpt(), |origin| case.excerpt().calls(origin.calls));
            (text, shown.stored(first).stored(second).lines())
        });
    }
    let mut rules =
        Rules { again: Rule::new("G3"), refused: Rule::new("G3"), failed: Rule::new("G3") };
    for origin in case.origins {
        check_answers(case, origin, &mut rules);
        check_refused(case, origin, &mut rules.failed);
    }
    let mut findings = doubled.findings();
    findings.extend(rules.again.findings());
    findings.extend(rules.refused.findings());
    findings.extend(rules.failed.findings());
    findings
}

fn check_answers(case: &Case<'_>, origin: &Origin<'_>, rules: &mut Rules) {
    let request = || origin.first().map_or(0, |append| append.request);
    if origin.marks().next().is_none() {
        return;
    }
    let firsts = origin.calls.iter().filter(|c| c.effect == Effect::Made && c.is_first()).count();
    let late = |call: &&Call<'_>| call.append.begun > origin.known;
    if firsts > 1 || origin.calls.iter().filter(late).any(Call::is_first) {
        rules.again.broken(|| {
            let text = format!("append {} was answered twice as if it were new", request());
            (text, case.excerpt().calls(origin.calls).lines())
        });
    }
    if origin.calls.iter().any(|call| is_refused_wrongly(case, origin, call)) {
        rules.refused.broken(|| {
            let text = format!("append {} was refused though it had been made", request());
            (text, case.excerpt().calls(origin.calls).lines())
        });
    }
}

/// A refusal after the acknowledgement, or one for the request's own events.
fn is_refused_wrongly(case: &Case<'_>, origin: &Origin<'_>, call: &Call<'_>) -> bool {
    // What was done once is answered so, whatever has become of its streams.
    if matches!(call.append.outcome, Outcome::Closed { .. }) {
        let begun = call.transaction.map_or(call.append.begun, |transaction| transaction.begun);
        return begun > origin.known;
    }
    let with_itself = |stored: &Stored| match call.append.outcome {
        Outcome::Conflict { stream, actual } => {
            stored.stream == stream && stored.version > 0 && stored.version <= actual
        }
        Outcome::Overtaken { position } => stored.position == position,
        _ => false,
    };
    if !matches!(call.append.outcome, Outcome::Conflict { .. } | Outcome::Overtaken { .. }) {
        return false;
    }
    if call.append.transaction.is_some() {
        // It may see no more than when its transaction began.
        return call.transaction.is_some_and(|transaction| transaction.begun > origin.known);
    }
    let own = call.append.parts.iter().flat_map(|part| &part.marks);
    let mut own = own.filter_map(|mark| case.facts.of_mark(*mark));
    call.append.begun > origin.known || own.any(|fact| with_itself(fact.stored))
}

/// Only refused or failed: certainly not done.
fn check_refused(case: &Case<'_>, origin: &Origin<'_>, failed: &mut Rule) {
    let refused = |call: &Call<'_>| {
        matches!(
            call.append.outcome,
            Outcome::Conflict { .. }
                | Outcome::Overtaken { .. }
                | Outcome::Closed { .. }
                | Outcome::Failed
        )
    };
    let undone = |call: &Call<'_>| !matches!(call.append.outcome, Outcome::Done { .. });
    if origin.is_possible() || !origin.calls.iter().any(refused) || !origin.calls.iter().all(undone)
    {
        return;
    }
    let Some(fact) = origin.marks().find_map(|mark| case.facts.of_mark(mark)) else { return };
    failed.broken(|| {
        let text = format!("mark {} is stored, though the append was refused", fact.stored.mark);
        (text, case.excerpt().calls(origin.calls).stored(fact.stored).lines())
    });
}
