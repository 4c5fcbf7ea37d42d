//! G10: only who claimed a slice class last moves its checkpoint, and it never goes back.
//!
//! Not decided: who owned a class before the first claim that was recorded.

use std::collections::HashMap;

use super::Finding;
use super::case::Case;
use super::rule::Rule;
use crate::history::CheckpointChange;

struct Rules {
    broken_off: Rule,
    back: Rule,
    stranger: Rule,
}

#[derive(Default)]
struct Class<'a> {
    last: Option<&'a CheckpointChange>,
    claim: Option<&'a CheckpointChange>,
}

pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    let mut rules =
        Rules { broken_off: Rule::new("G10"), back: Rule::new("G10"), stranger: Rule::new("G10") };
    let mut classes: HashMap<(&str, u16, u16), Class<'_>> = HashMap::new();
    for change in &case.truth.audit {
        let key = (change.projection.as_str(), change.modulus, change.remainder);
        let class = classes.entry(key).or_default();
        follow(class, change, &mut rules);
    }
    let Rules { broken_off, back, stranger } = rules;
    [stranger, back, broken_off].into_iter().flat_map(Rule::findings).collect()
}

fn follow<'a>(class: &mut Class<'a>, change: &'a CheckpointChange, rules: &mut Rules) {
    let name = || format!("{} {}/{}", change.projection, change.remainder, change.modulus);
    if let Some(last) = class.last
        && (last.new_position, last.new_epoch) != (change.old_position, change.old_epoch)
    {
        rules.broken_off.broken(|| {
            let text = format!("a change of {} does not begin where the last one ended", name());
            (text, vec![told(last), told(change)])
        });
    }
    if change.new_position < change.old_position || change.new_epoch < change.old_epoch {
        rules.back.broken(|| {
            let text = format!("the checkpoint of {} went back", name());
            (text, class.last.into_iter().chain([change]).map(told).collect())
        });
    }
    if change.new_epoch != change.old_epoch {
        class.claim = Some(change);
    }
    if let Some(claim) = class.claim
        && change.new_position != change.old_position
        && change.role != claim.role
    {
        rules.stranger.broken(|| {
            let text = format!(
                "{} moved the checkpoint of {}, which {} had claimed",
                change.role,
                name(),
                claim.role
            );
            (text, vec![told(claim), told(change)])
        });
    }
    class.last = Some(change);
}

fn told(change: &CheckpointChange) -> String {
    format!(
        "{} of {} {}/{}: epoch {} to {}, position {} to {}",
        change.role,
        change.projection,
        change.remainder,
        change.modulus,
        change.old_epoch,
        change.new_epoch,
        change.old_position,
        change.new_position
    )
}
