//! G6: positions rise with versions, with real time, and above what the writer had read.

use super::Finding;
use super::calls::NEVER;
use super::case::Case;
use super::facts::Fact;
use super::rule::Rule;
use super::streams::both;

pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    let mut falls = Rule::new("G6");
    for log in case.logs.values() {
        for (fact, next) in log.facts.iter().zip(log.facts.iter().skip(1)) {
            if next.stored.position <= fact.stored.position {
                falls.broken(|| {
                    let name = case.name(fact.stored.stream);
                    let text = format!(
                        "in {name} version {} stands at position {}, behind {} at {}",
                        next.stored.version,
                        next.stored.position,
                        fact.stored.version,
                        fact.stored.position
                    );
                    (text, both(case, fact, next))
                });
            }
        }
    }
    let mut findings = falls.findings();
    findings.extend(shared(case));
    findings.extend(real_time(case));
    findings.extend(read_before(case));
    findings
}

fn shared(case: &Case<'_>) -> Vec<Finding> {
    let mut rule = Rule::new("G6");
    for (fact, next) in case.facts.order.iter().zip(case.facts.order.iter().skip(1)) {
        if fact.stored.position == next.stored.position {
            rule.broken(|| {
                let text = format!("two events stand at position {}", fact.stored.position);
                (text, both(case, fact, next))
            });
        }
    }
    rule.findings()
}

/// From the highest position down: nothing above was there before the append of this one began.
fn real_time(case: &Case<'_>) -> Vec<Finding> {
    let mut rule = Rule::new("G6");
    let mut earliest: Option<&Fact<'_>> = None;
    for fact in case.facts.order.iter().rev() {
        if let Some(before) = earliest.filter(|before| before.known < fact.begun) {
            rule.broken(|| {
                let text = format!(
                    "position {} was there before the append of position {} began",
                    before.stored.position, fact.stored.position
                );
                (text, both(case, before, fact))
            });
        }
        if fact.known < earliest.map_or(NEVER, |earliest| earliest.known) {
            earliest = Some(fact);
        }
    }
    rule.findings()
}

/// Only what is stored counts as read: a position that was drawn for nothing may be drawn again after
/// a crash.
fn read_before(case: &Case<'_>) -> Vec<Finding> {
    let mut rule = Rule::new("G6");
    for fact in &case.facts.order {
        let Some(origin) = fact.origin.filter(|origin| fact.stored.position <= origin.seen) else {
            continue;
        };
        let Some(read) = case.facts.at(origin.seen) else { continue };
        rule.broken(|| {
            let text = format!(
                "an event stands at position {}, and its writer had read {}",
                fact.stored.position, read.stored.position
            );
            (text, both(case, read, fact))
        });
    }
    rule.findings()
}
