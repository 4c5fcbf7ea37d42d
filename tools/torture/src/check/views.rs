//! G9 at the end: the rows of every view are the fold of all events.
//!
//! A view that left no row, no snapshot and no change of a checkpoint was not at work.

use super::Finding;
use super::case::Case;
use super::excerpt::Excerpt;
use super::expected::{BALANCE, BUCKET, Buckets, Rows, differences};
use super::logs::Log;
use super::rule::Rule;

pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (view, expected) in [(BALANCE, balance(case)), (BUCKET, bucket(case))] {
        let mut rule = Rule::new("G9");
        let was_read = case.truth.rows.contains_key(view);
        let was_at_work =
            case.is_audited(view) || case.history.shots.iter().any(|shot| shot.view == view);
        if !was_read && !was_at_work {
            continue;
        }
        let none = Rows::new();
        let differences = differences(case.truth.rows.get(view).unwrap_or(&none), &expected);
        if !differences.is_empty() {
            rule.broken(|| {
                let count = differences.len();
                let text = format!(
                    "view {view} is not the fold of the events at the end, in {count} rows"
                );
                let shown = differences.iter().take(4).map(ToString::to_string);
                (text, shown.fold(case.excerpt(), Excerpt::line).lines())
            });
        }
        findings.extend(rule.findings());
    }
    findings
}

fn balance(case: &Case<'_>) -> Rows {
    let row = |(name, log): (&str, &Log<'_>)| {
        let version = log.facts.len() as u64;
        (name.to_owned(), (log.cents(version).unwrap_or_default(), version))
    };
    case.accounts().map(row).collect()
}

fn bucket(case: &Case<'_>) -> Rows {
    let mut buckets = Buckets::default();
    case.projected().for_each(|fact| buckets.add(fact.stored.mark, fact.stored.cents));
    buckets.rows()
}
