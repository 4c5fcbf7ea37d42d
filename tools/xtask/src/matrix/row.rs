//! What came of one place.

use std::fmt::{self, Write};

use super::Place;
use crate::totals::Totals;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Passed,
    Failed(String),
    /// Not a single test could run; it counts as much as a failure.
    NotRun(String),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed => f.write_str("passed"),
            Self::Failed(reason) => write!(f, "FAILED: {reason}"),
            Self::NotRun(reason) => write!(f, "NOT RUN: {reason}"),
        }
    }
}

pub(super) struct Row {
    place: Place,
    /// What the server called itself.
    pub(super) version: Option<String>,
    pub(super) totals: Totals,
    pub(super) seconds: f64,
    pub(super) outcome: Outcome,
}

impl Row {
    pub(super) fn new(place: Place) -> Self {
        Self {
            place,
            version: None,
            totals: Totals::default(),
            seconds: 0.0,
            outcome: Outcome::NotRun("not yet".to_owned()),
        }
    }
}

/// One line for each place, under a head.
pub(super) fn table(rows: &[Row]) -> String {
    let mut text = format!(
        "{:<10} {:<36} {:>7} {:>7} {:>8}\n",
        "place", "server_version", "passed", "failed", "seconds"
    );
    for row in rows {
        let (place, version) = (row.place.to_string(), row.version.as_deref().unwrap_or("-"));
        let Totals { passed, failed, .. } = row.totals;
        // Writing to a string can't fail.
        let _written = writeln!(
            text,
            "{place:<10} {version:<36} {passed:>7} {failed:>7} {:>8.0}  {}",
            row.seconds, row.outcome
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_is_one_line_also_where_nothing_ran() {
        let mut passed = Row::new(Place::Major(15));
        passed.version = Some("15.18 (a build)".to_owned());
        passed.totals = Totals { passed: 358, failed: 0, ignored: 0 };
        passed.outcome = Outcome::Passed;
        let mut gone = Row::new(Place::Container);
        gone.outcome = Outcome::NotRun("no daemon".to_owned());
        let text = table(&[passed, gone]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert!(lines.iter().any(|line| line.starts_with("15 ") && line.ends_with("passed")));
        assert!(lines.iter().any(|line| line.ends_with("NOT RUN: no daemon")), "{text}");
    }
}
