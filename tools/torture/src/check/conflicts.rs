//! G4: a conflict is a true one: the version it names fails the expectation, and the stream was at
//! that version between the begin and the end of the call.
//!
//! In a user's transaction the call may see no more than when the transaction began, and what the
//! transaction itself appended: the bounds are wider by that.

use std::collections::HashMap;

use super::Finding;
use super::calls::Call;
use super::case::Case;
use super::rule::Rule;
use crate::history::{Append, Expect, Outcome};

pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    let mut untrue = Rule::new("G4");
    let mut impossible = Rule::new("G4");
    let mut own: HashMap<u64, Vec<&Append>> = HashMap::new();
    for append in &case.history.appends {
        if let Some(id) = append.transaction {
            own.entry(id).or_default().push(append);
        }
    }
    for call in case.origins.iter().flat_map(|origin| origin.calls) {
        let Outcome::Conflict { stream, actual } = call.append.outcome else { continue };
        let part = call.append.parts.iter().find(|part| part.stream == stream);
        let is_met = part.is_none_or(|part| match part.expected {
            Expect::Any => true,
            Expect::Exists => actual > 0,
            Expect::NoStream => actual == 0,
            Expect::Exact(version) => actual == version,
        });
        if is_met {
            untrue.broken(|| {
                let text = format!("a conflict with version {actual}, which was expected");
                (text, case.excerpt().call(call.append).lines())
            });
            continue;
        }
        let siblings = call.append.transaction.and_then(|id| own.get(&id));
        check_bounds(case, call, siblings.map_or(&[], Vec::as_slice), &mut impossible);
    }
    let mut findings = untrue.findings();
    findings.extend(impossible.findings());
    findings
}

fn check_bounds(case: &Case<'_>, call: &Call<'_>, siblings: &[&Append], rule: &mut Rule) {
    let Outcome::Conflict { stream, actual } = call.append.outcome else { return };
    let log = case.log(stream);
    let since = match (call.append.transaction, call.transaction) {
        (None, _) => call.append.begun,
        (Some(_), Some(transaction)) => transaction.begun,
        (Some(_), None) => 0,
    };
    let own: usize = siblings
        .iter()
        .filter(|append| append.begun < call.append.begun)
        .flat_map(|append| &append.parts)
        .filter(|part| part.stream == stream)
        .map(|part| part.marks.len())
        .sum();
    let (least, most) = (log.at_least(since), log.at_most(call.append.ended) + own as u64);
    if actual < least || actual > most {
        rule.broken(|| {
            let name = case.name(stream);
            let text = format!(
                "a conflict with version {actual}: {name} was between versions {least} and {most}"
            );
            let shown = case.excerpt().call(call.append);
            let near = log.fact(least).or_else(|| log.fact(most));
            (text, near.into_iter().fold(shown, |s, fact| s.stored(fact.stored)).lines())
        });
    }
}
