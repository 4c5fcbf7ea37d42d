//! G5: a decision over streams had seen just the events that match its query and stand before its own;
//! it was refused only for one that it had not seen.
//!
//! Not decided: what a decision was given of its own transaction, where that was not committed.

use std::collections::{HashMap, HashSet};

use super::Finding;
use super::calls::Origin;
use super::case::Case;
use super::excerpt::Excerpt;
use super::facts::Fact;
use super::labels::Labels;
use super::rule::Rule;
use crate::history::{Decision, Outcome};

/// A decision, with what is known of it.
struct Judged<'a> {
    decision: &'a Decision,
    /// The calls of its append; none if it was never made.
    origin: Option<&'a Origin<'a>>,
    /// The marks that it was given, and those of its own events.
    given: HashSet<u64>,
    own: Vec<u64>,
}

pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    if case.history.decisions.is_empty() {
        return Vec::new();
    }
    let labels = Labels::of(case);
    let origins: HashMap<u64, &Origin<'_>> =
        case.origins.iter().filter_map(|o| Some((o.first()?.request, o))).collect();
    let rules = [passed_by, not_given, not_stored, refused];
    let mut broken = rules.map(|_| Rule::new("G5"));
    for decision in &case.history.decisions {
        let origin = origins.get(&decision.request).copied();
        let given = decision.given.iter().map(|given| given.mark).collect();
        let own = origin.map_or_else(Vec::new, |origin| origin.marks().collect());
        let judged = Judged { decision, origin, given, own };
        for (rule, broken) in rules.iter().zip(&mut broken) {
            rule(case, &labels, &judged, broken);
        }
    }
    broken.into_iter().flat_map(Rule::findings).collect()
}

/// Nothing that it would have been given stands before the last of its own events.
fn passed_by(case: &Case<'_>, labels: &Labels<'_>, judged: &Judged<'_>, rule: &mut Rule) {
    let stored = judged.own.iter().filter_map(|mark| case.facts.of_mark(*mark));
    let Some(last) = stored.max_by_key(|fact| fact.stored.position) else { return };
    let before = |fact: &&Fact<'_>| fact.stored.position < last.stored.position;
    if let Some(unseen) = unseen(labels, judged, before) {
        rule.broken(|| {
            let text = format!(
                "a decision stands at position {}, and had not seen {}, which matches its query",
                last.stored.position, unseen.stored.position
            );
            (text, shown(case, judged).stored(last.stored).stored(unseen.stored).lines())
        });
    }
}

/// What was acknowledged before the read began, it was given.
fn not_given(case: &Case<'_>, labels: &Labels<'_>, judged: &Judged<'_>, rule: &mut Rule) {
    let known = |fact: &&Fact<'_>| fact.known < judged.decision.begun;
    if let Some(unseen) = unseen(labels, judged, known) {
        rule.broken(|| {
            let text = format!(
                "a decision was not given position {}, which was there and matches its query",
                unseen.stored.position
            );
            let calls = unseen.origin.map_or(&[][..], |origin| origin.calls);
            (text, shown(case, judged).calls(calls).stored(unseen.stored).lines())
        });
    }
}

fn unseen<'a>(
    labels: &Labels<'a>,
    judged: &Judged<'_>,
    counts: impl Fn(&&'a Fact<'a>) -> bool,
) -> Option<&'a Fact<'a>> {
    let matching = judged.decision.items.iter().flat_map(|item| labels.matching(item));
    let unseen = |fact: &&Fact<'_>| {
        !judged.given.contains(&fact.stored.mark) && !judged.own.contains(&fact.stored.mark)
    };
    matching.filter(unseen).filter(counts).min_by_key(|fact| fact.stored.position)
}

/// What it was given is stored there, matches the items it says, and came in the order of positions.
fn not_stored(case: &Case<'_>, labels: &Labels<'_>, judged: &Judged<'_>, rule: &mut Rule) {
    let mut before = 0;
    for given in &judged.decision.given {
        let stored = case.facts.of_mark(given.mark).map(|fact| fact.stored);
        let is_there = stored.is_some_and(|stored| stored.position == given.position);
        let fits = given.matched == labels.matched(given.mark, &judged.decision.items);
        let in_order = before < given.position;
        before = given.position;
        if fits && in_order && (is_there || is_own(case, judged, given.mark)) {
            continue;
        }
        rule.broken(|| {
            let wrong = match (is_there, fits) {
                (false, _) => "which is not stored so",
                (true, false) => "which does not match what it is said to",
                (true, true) => "out of order",
            };
            let text =
                format!("a decision was given mark {} at {}, {wrong}", given.mark, given.position);
            (text, shown(case, judged).stored_or_not(stored, given.mark).lines())
        });
        return;
    }
}

/// Whether the transaction of the decision had appended it: then it may have been rolled back.
fn is_own(case: &Case<'_>, judged: &Judged<'_>, mark: u64) -> bool {
    judged.decision.transaction.is_some_and(|id| {
        let mut of_it = case.history.appends.iter().filter(|a| a.transaction == Some(id));
        of_it.any(|append| append.parts.iter().any(|part| part.marks.contains(&mark)))
    })
}

/// It was refused for an event that is there, that matches, and that it had not seen.
fn refused(case: &Case<'_>, labels: &Labels<'_>, judged: &Judged<'_>, rule: &mut Rule) {
    for call in judged.origin.iter().flat_map(|origin| origin.calls) {
        let Outcome::Overtaken { position } = call.append.outcome else { continue };
        let fact = case.facts.at(position);
        let why = match fact.map(|fact| fact.stored.mark) {
            None => "which is not stored",
            Some(mark) if judged.given.contains(&mark) => "which it had seen",
            Some(mark) if labels.matched(mark, &judged.decision.items) == 0 => {
                "which does not match its query"
            }
            Some(_) if fact.is_some_and(|fact| fact.begun > call.append.ended) => {
                "which was not there yet"
            }
            Some(_) => continue,
        };
        rule.broken(|| {
            let text = format!("a decision was refused for position {position}, {why}");
            let shown = shown(case, judged);
            let fact = fact.map(|fact| fact.stored);
            (text, fact.into_iter().fold(shown, Excerpt::stored).lines())
        });
    }
}

fn shown<'a>(case: &Case<'a>, judged: &Judged<'_>) -> Excerpt<'a> {
    let Decision { begun, ended, items, settled, given, .. } = judged.decision;
    let asked = items.iter().map(|item| match item.kinds.as_slice() {
        [] => item.tags.join(" and "),
        kinds => format!("{} of {}", item.tags.join(" and "), kinds.join(" or ")),
    });
    let asked = asked.collect::<Vec<_>>().join("; or ");
    let last: Vec<_> = given.iter().rev().take(4).map(|given| given.position).collect();
    let count = given.len();
    let text =
        format!("read {asked}: settled at {settled}, given {count} events, the last at {last:?}");
    let shown = case.excerpt().moment(*begun, *ended, &text);
    shown.calls(judged.origin.map_or(&[][..], |origin| origin.calls))
}
