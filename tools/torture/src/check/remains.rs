//! G18: when everything has healed, nothing was left behind. G8: and everybody came back.

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
    let mut findings = left.findings();
    findings.extend(wedged.findings());
    findings
}
