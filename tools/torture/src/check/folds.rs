//! G4 for states of aggregates, by way of snapshots and of a cache: a state is the fold of the stream's
//! events up to its version, or of those from a summary on, and never of a rest; and it is as new as
//! what was acknowledged.
//!
//! Not decided: whether a state that could have gone on from a snapshot had to.

use super::Finding;
use super::case::Case;
use super::deeds::Deeds;
use super::rule::Rule;
use crate::history::{Act, Folded, StateRead};

pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    let deeds = Deeds::of(case.history, case.truth);
    let mut rule = Rule::new("G4");
    for read in &case.history.states {
        let wrong = match read.found {
            Folded::State { version, events, cents } => {
                state(case, &deeds, read, (version, events, cents))
            }
            Folded::Truncated { by } => refusal(&deeds, read, by),
        };
        if let Some(wrong) = wrong {
            rule.broken(|| {
                let name = case.name(read.stream);
                let shown = format!("state of {name}: {:?}", read.found);
                let shown = case.excerpt().moment(read.begun, read.ended, &shown);
                (format!("a state of {name} {wrong}"), shown.lines())
            });
        }
    }
    rule.findings()
}

/// What is wrong with a state.
fn state(
    case: &Case<'_>,
    deeds: &Deeds,
    read: &StateRead,
    (version, events, cents): (u64, u64, i64),
) -> Option<String> {
    let log = case.log(read.stream);
    let (least, most) = (log.at_least(read.begun), log.at_most(read.ended));
    if version < least || version > most {
        return Some(format!("is of version {version}, not of {least} to {most}"));
    }
    let Some(before) = version.checked_sub(events) else {
        return Some(format!("holds {events} events at version {version}"));
    };
    let summary = |deed: &super::deeds::Deed| {
        let first = matches!(deed.stored.act, Act::Truncate { before: at, summary: true }
            if at == before + 1);
        first && deed.begun < read.ended
    };
    if before > 0 && !deeds.on(read.stream).iter().any(summary) {
        return Some(format!("lacks {before} events, and no summary stands for them"));
    }
    let fold = log.cents(version).zip(log.cents(before)).map(|(all, less)| all.wrapping_sub(less));
    (fold != Some(cents)).then(|| format!("has {cents} cents: version {version} folds to {fold:?}"))
}

/// What is wrong with a refusal.
fn refusal(deeds: &Deeds, read: &StateRead, by: u64) -> Option<String> {
    let cut = |deed: &super::deeds::Deed| {
        let cuts = matches!(deed.stored.act, Act::Truncate { .. });
        cuts && deed.stored.number == by && deed.begun < read.ended
    };
    let explained = deeds.on(read.stream).iter().any(cut);
    (!explained).then(|| format!("was refused by mark {by}, which was not in force"))
}
