//! G8: what holds up the order is named, and what appends nothing holds up nobody.

use super::Finding;
use super::case::Case;
use super::rule::Rule;
use crate::history::Stall;

pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    let mut unnamed = Rule::new("G8");
    let mut stalled = Rule::new("G8");
    for stall in &case.history.stalls {
        // As a word: 12 is not named by 123.
        let mut words = stall.named.split(|c: char| !c.is_alphanumeric());
        if stall.appends && words.all(|word| word != stall.holder) {
            unnamed.broken(|| {
                let text = format!("{} held up the order, and was not named", stall.holder);
                (text, shown(case, stall))
            });
        }
        if !stall.appends && stall.reached < stall.acknowledged {
            stalled.broken(|| {
                let text = format!("{} appends nothing, and held up the order", stall.holder);
                (text, shown(case, stall))
            });
        }
    }
    let mut findings = unnamed.findings();
    findings.extend(stalled.findings());
    findings
}

fn shown(case: &Case<'_>, stall: &Stall) -> Vec<String> {
    let Stall { holder, named, before, reached, acknowledged, .. } = stall;
    let text = format!(
        "held open by {holder}: named {named:?}, a reader came from {before} to {reached}, acknowledged {acknowledged}"
    );
    case.excerpt().moment(stall.opened, stall.closed, &text).lines()
}
