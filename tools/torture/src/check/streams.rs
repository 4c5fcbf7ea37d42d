//! G4: every stream is a log with dense versions, in the order of real time, and every append stands
//! where it expected to stand.

use super::Finding;
use super::calls::{NEVER, Origin};
use super::case::Case;
use super::facts::Fact;
use super::logs::Log;
use super::rule::Rule;
use crate::history::{Expect, Part};

pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    let mut gaps = Rule::new("G4");
    let mut late = Rule::new("G4");
    for (stream, log) in &case.logs {
        check_dense(case, *stream, log, &mut gaps);
        check_real_time(case, *stream, log, &mut late);
    }
    let mut apart = Rule::new("G4");
    let mut expectations = Rule::new("G4");
    for origin in case.origins {
        for part in origin.first().into_iter().flat_map(|append| &append.parts) {
            check_run(case, origin, part, &mut apart);
            check_expected(case, origin, part, &mut expectations);
        }
    }
    [gaps, late, apart, expectations].into_iter().flat_map(Rule::findings).collect()
}

fn check_dense(case: &Case<'_>, stream: u32, log: &Log<'_>, gaps: &mut Rule) {
    let mut expected = 0;
    for fact in &log.facts {
        expected += 1;
        if fact.stored.version == expected {
            continue;
        }
        gaps.broken(|| {
            let name = case.name(stream);
            let text =
                format!("the versions of {name} are not dense: {expected} is not there once");
            let before = log.fact(expected - 1).map(|fact| fact.stored);
            let shown = before.map_or(case.excerpt(), |before| case.excerpt().stored(before));
            (text, shown.stored(fact.stored).lines())
        });
        return;
    }
}

/// What was there before an append began has the lower version.
fn check_real_time(case: &Case<'_>, stream: u32, log: &Log<'_>, late: &mut Rule) {
    let mut earliest: Option<&Fact<'_>> = None;
    for fact in log.facts.iter().rev().copied() {
        if let Some(after) = earliest.filter(|after| after.known < fact.begun) {
            late.broken(|| {
                let name = case.name(stream);
                let (before, version) = (after.stored.version, fact.stored.version);
                let text = format!(
                    "in {name} version {before} was there before the append of version {version} began"
                );
                (text, both(case, after, fact))
            });
            return;
        }
        if fact.known < earliest.map_or(NEVER, |earliest| earliest.known) {
            earliest = Some(fact);
        }
    }
}

pub(super) fn both(case: &Case<'_>, first: &Fact<'_>, second: &Fact<'_>) -> Vec<String> {
    let shown = [first, second].into_iter().fold(case.excerpt(), |shown, fact| {
        let calls = fact.origin.map_or(&[][..], |origin| origin.calls);
        shown.calls(calls).stored(fact.stored)
    });
    shown.lines()
}

/// The events of one part stand side by side, in its stream and in its order.
fn check_run(case: &Case<'_>, origin: &Origin<'_>, part: &Part, apart: &mut Rule) {
    let mut previous: Option<&Fact<'_>> = None;
    for mark in &part.marks {
        let Some(fact) = case.facts.of_mark(*mark) else { return };
        let follows = previous.is_none_or(|p| {
            fact.stored.version == p.stored.version + 1 && fact.stored.position > p.stored.position
        });
        if fact.stored.stream != part.stream || !follows {
            apart.broken(|| {
                let text = format!("mark {mark} does not stand where its append put it");
                let shown = case.excerpt().calls(origin.calls);
                let shown = previous
                    .map(|p| p.stored)
                    .into_iter()
                    .fold(shown, super::excerpt::Excerpt::stored);
                (text, shown.stored(fact.stored).lines())
            });
            return;
        }
        previous = Some(fact);
    }
}

fn check_expected(case: &Case<'_>, origin: &Origin<'_>, part: &Part, rule: &mut Rule) {
    let first = part.marks.first().and_then(|mark| case.facts.of_mark(*mark));
    let Some(fact) = first else { return };
    let version = fact.stored.version;
    let holds = match part.expected {
        Expect::Any => true,
        Expect::Exists => version > 1,
        Expect::NoStream => version == 1,
        Expect::Exact(expected) => expected.checked_add(1) == Some(version),
    };
    if !holds {
        rule.broken(|| {
            let text = format!(
                "an append that expected {:?} stands at version {version} of {}",
                part.expected,
                case.name(part.stream)
            );
            (text, case.excerpt().calls(origin.calls).stored(fact.stored).lines())
        });
    }
}
