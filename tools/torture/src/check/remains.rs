//! G18: when everything has healed, nothing was left behind. G8: and everybody came back. And nothing
//! failed for a reason that no fault gives.

use super::Finding;
use super::case::Case;
use super::rule::Rule;

pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    let mut left = Rule::new("G18");
    for what in &case.truth.residue {
        left.broken(|| (format!("left behind: {what}"), Vec::new()));
    }
    let mut wedged = Rule::new("G8");
    for who in &case.truth.wedged {
        wedged.broken(|| (format!("did not come back: {who}"), Vec::new()));
    }
    let mut surprising = Rule::new("none");
    for what in &case.truth.surprises {
        surprising.broken(|| (format!("no fault explains it: {what}"), Vec::new()));
    }
    [left, wedged, surprising].into_iter().flat_map(Rule::findings).collect()
}
