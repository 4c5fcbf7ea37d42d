//! G9 at any moment: the rows of a view are the fold of the events up to its checkpoints, of each
//! event's own class.

use std::collections::BTreeMap;

use super::Finding;
use super::case::Case;
use super::excerpt::Excerpt;
use super::expected::{BALANCE, BUCKET, Buckets, Rows, differences};
use super::rule::Rule;
use crate::history::ViewShot;

/// Streams and keys hash into so many slices.
const SLICES: u16 = 1_024;

pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    let mut rule = Rule::new("G9");
    let mut shots = Vec::new();
    for shot in &case.history.shots {
        match classes(shot) {
            Ok(_) => shots.push(shot),
            Err(what) => rule.broken(|| {
                let text = format!("the checkpoints of view {} are no division: {what}", shot.view);
                (text, case.excerpt().shot(shot).lines())
            }),
        }
    }
    let buckets = buckets(case, &shots);
    for (shot, buckets) in shots.into_iter().zip(buckets) {
        let expected = match shot.view.as_str() {
            BALANCE => balance(case, &classes(shot).unwrap_or_default()),
            BUCKET => buckets.rows(),
            _ => {
                rule.broken(|| {
                    let text = format!("nobody knows what view {} has to hold", shot.view);
                    (text, case.excerpt().shot(shot).lines())
                });
                continue;
            }
        };
        let differences = differences(&shot.rows, &expected);
        if differences.is_empty() {
            continue;
        }
        rule.broken(|| {
            let text = format!("view {} is not the fold up to its checkpoints", shot.view);
            let shown = differences.iter().take(4).map(ToString::to_string);
            (text, shown.fold(case.excerpt().shot(shot), Excerpt::line).lines())
        });
    }
    rule.findings()
}

/// For each slice, the checkpoint of the class that holds it. Empty if there is none at all yet.
type Classes = Vec<u64>;

fn classes(shot: &ViewShot) -> Result<Classes, String> {
    if shot.checkpoints.is_empty() {
        return Ok(Vec::new());
    }
    let mut held: Vec<Option<u64>> = vec![None; usize::from(SLICES)];
    for (modulus, remainder, position) in &shot.checkpoints {
        if remainder >= modulus {
            return Err(format!("class {remainder} of {modulus}"));
        }
        let (start, step) = (usize::from(*remainder), usize::from(*modulus));
        for slice in held.iter_mut().skip(start).step_by(step) {
            if slice.replace(*position).is_some() {
                return Err(format!("two classes hold slices of {remainder} of {modulus}"));
            }
        }
    }
    let each = held.into_iter().enumerate();
    each.map(|(slice, held)| held.ok_or_else(|| format!("no class holds slice {slice}"))).collect()
}

fn checkpoint(classes: &Classes, slice: u16) -> u64 {
    classes.get(usize::from(slice)).copied().unwrap_or_default()
}

fn balance(case: &Case<'_>, classes: &Classes) -> Rows {
    let rows = case.accounts().filter_map(|(name, log)| {
        let slice = log.facts.first()?.stored.slice;
        let version = log.up_to(checkpoint(classes, slice));
        Some((name.to_owned(), (log.cents(version)?, version)))
    });
    rows.collect()
}

/// What each snapshot of `bucket` has to hold: one pass over the events for each class, with a stop at
/// each checkpoint.
fn buckets(case: &Case<'_>, shots: &[&ViewShot]) -> Vec<Buckets> {
    let mut expected = vec![Buckets::default(); shots.len()];
    let mut stops: BTreeMap<(u16, u16), Vec<(u64, usize)>> = BTreeMap::new();
    for (number, shot) in shots.iter().enumerate().filter(|(_, shot)| shot.view == BUCKET) {
        for (modulus, remainder, position) in &shot.checkpoints {
            stops.entry((*modulus, *remainder)).or_default().push((*position, number));
        }
    }
    for ((modulus, remainder), mut stops) in stops {
        stops.sort_unstable();
        let mut running = Buckets::default();
        let in_class = |slice: u16| slice.checked_rem(modulus) == Some(remainder);
        let mut events = case.projected().filter(|fact| in_class(fact.stored.slice)).peekable();
        for (position, number) in stops {
            while let Some(fact) = events.next_if(|fact| fact.stored.position <= position) {
                running.add(fact.stored.mark, fact.stored.cents);
            }
            if let Some(expected) = expected.get_mut(number) {
                expected.merge(&running);
            }
        }
    }
    expected
}
