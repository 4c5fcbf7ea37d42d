//! G4 for who loads: a state holds what was there before and nothing that could not be, its sum is
//! the fold of its events, and it never goes back. G1: it holds no part of an append.
//!
//! A view's row as it is may be any earlier state; only its fold is decided.

use std::collections::BTreeMap;

use super::Finding;
use super::case::Case;
use super::facts::Fact;
use super::logs::Log;
use super::rule::Rule;
use crate::history::{Load, LoadKind};

struct Rules {
    stale: Rule,
    early: Rule,
    fold: Rule,
    torn: Rule,
    back: Rule,
}

pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    let mut rules = Rules {
        stale: Rule::new("G4"),
        early: Rule::new("G4"),
        fold: Rule::new("G4"),
        torn: Rule::new("G1"),
        back: Rule::new("G4"),
    };
    let mut exact: BTreeMap<u32, Vec<&Load>> = BTreeMap::new();
    for load in &case.history.loads {
        check_load(case, load, &mut rules);
        if is_exact(load) {
            exact.entry(load.stream).or_default().push(load);
        }
    }
    exact.into_values().for_each(|loads| check_monotone(case, loads, &mut rules.back));
    let Rules { stale, early, fold, torn, back } = rules;
    [stale, early, fold, torn, back].into_iter().flat_map(Rule::findings).collect()
}

/// Promised to be as new as all that was acknowledged.
fn is_exact(load: &Load) -> bool {
    matches!(load.kind, LoadKind::State | LoadKind::Fresh)
}

fn check_load(case: &Case<'_>, load: &Load, rules: &mut Rules) {
    let log = case.log(load.stream);
    let name = case.name(load.stream);
    let least = match load.kind {
        LoadKind::State | LoadKind::Fresh => log.at_least(load.begun),
        LoadKind::AtLeast(position) => log.up_to(position),
        LoadKind::AsItIs => 0,
    };
    let most = log.at_most(load.ended);
    let version = load.version;
    if version < least {
        rules.stale.broken(|| {
            let text = format!("{name} was loaded at version {version}, and was at {least} before");
            (text, shown(case, load, log.fact(version + 1)))
        });
    }
    if version > most {
        rules.early.broken(|| {
            let text = format!(
                "{name} was loaded at version {version}: no more than {most} events can have been there"
            );
            (text, shown(case, load, log.fact(most + 1)))
        });
    } else if log.cents(version) != Some(load.cents) {
        rules.fold.broken(|| {
            let fold = log.cents(version).unwrap_or_default();
            let cents = load.cents;
            let text =
                format!("{name} was loaded with {cents} cents: version {version} folds to {fold}");
            (text, shown(case, load, log.fact(version)))
        });
    } else if is_exact(load) && is_torn(log, version) {
        rules.torn.broken(|| {
            let text =
                format!("{name} was loaded at version {version}, in the middle of an append");
            (text, shown(case, load, log.fact(version)))
        });
    }
}

fn is_torn(log: &Log<'_>, version: u64) -> bool {
    let unit = |version| log.fact(version).and_then(Fact::unit);
    unit(version).is_some_and(|last| unit(version + 1) == Some(last))
}

fn shown(case: &Case<'_>, load: &Load, near: Option<&Fact<'_>>) -> Vec<String> {
    let excerpt = near.into_iter().fold(case.excerpt(), |excerpt, fact| {
        let calls = fact.origin.map_or(&[][..], |origin| origin.calls);
        excerpt.calls(calls).stored(fact.stored)
    });
    excerpt.load(load).lines()
}

/// What was seen once is seen by every load that begins later.
fn check_monotone(case: &Case<'_>, mut loads: Vec<&Load>, back: &mut Rule) {
    let mut ended = loads.clone();
    ended.sort_by_key(|load| load.ended);
    loads.sort_by_key(|load| load.begun);
    let mut ended = ended.into_iter().peekable();
    let mut newest: Option<&Load> = None;
    for load in loads {
        while let Some(before) = ended.next_if(|before| before.ended < load.begun) {
            if newest.is_none_or(|newest| before.version > newest.version) {
                newest = Some(before);
            }
        }
        if let Some(before) = newest.filter(|before| before.version > load.version) {
            back.broken(|| {
                let name = case.name(load.stream);
                let text = format!(
                    "{name} was loaded at version {}, and later at {}",
                    before.version, load.version
                );
                (text, case.excerpt().load(before).load(load).lines())
            });
        }
    }
}
