//! What was found, guessed, refused and done: for people to read before and after.

use std::fmt;
use std::time::SystemTime;

/// What an import from cqrs-es found and did.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CqrsEsReport {
    /// Whether nothing was stored, because it was only a rehearsal.
    pub dry_run: bool,
    /// The table.
    pub table: String,
    /// In which order the events get their positions.
    pub order: String,
    /// What there is, by aggregate type.
    pub categories: Vec<CqrsEsCategory>,
    /// What was assumed without being told. Each can be told.
    pub guesses: Vec<String>,
    /// Why nothing can be imported so, with remedies. Empty if it can.
    pub problems: Vec<String>,
    /// How many events this run stored.
    pub imported: u64,
    /// How many events runs before had stored.
    pub skipped: u64,
    /// How many streams were read again and folded, and agreed.
    pub verified: u64,
}

/// What there is of one aggregate type.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CqrsEsCategory {
    /// The aggregate type, as cqrs-es calls it.
    pub aggregate_type: String,
    /// The category it becomes.
    pub category: String,
    /// How many streams it has.
    pub streams: u64,
    /// How many events.
    pub events: u64,
    /// The first time of an event, if times are known.
    pub first: Option<SystemTime>,
    /// The last one.
    pub last: Option<SystemTime>,
    /// Its event types.
    pub types: Vec<CqrsEsType>,
}

/// An event type in one version.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CqrsEsType {
    /// The event type, as cqrs-es has it beside the payload.
    pub event_type: String,
    /// The event version, likewise.
    pub event_version: String,
    /// The schema version it becomes.
    pub schema_version: u32,
    /// How many events.
    pub events: u64,
}

impl CqrsEsReport {
    pub(super) fn new(dry_run: bool, table: &str, order: String) -> Self {
        Self {
            dry_run,
            table: table.to_owned(),
            order,
            categories: Vec::new(),
            guesses: Vec::new(),
            problems: Vec::new(),
            imported: 0,
            skipped: 0,
            verified: 0,
        }
    }

    /// How many events the table has.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.categories.iter().map(|category| category.events).sum()
    }
}

impl fmt::Display for CqrsEsReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "table {}, {} events, {}", self.table, self.events(), self.order)?;
        for of in &self.categories {
            write!(
                f,
                "\n{} -> category {}: {} streams, {} events",
                of.aggregate_type, of.category, of.streams, of.events
            )?;
            if let (Some(first), Some(last)) = (of.first, of.last) {
                write!(f, ", {} to {}", day(first), day(last))?;
            }
            writeln!(f)?;
            for kind in &of.types {
                writeln!(
                    f,
                    "  {} {} -> schema version {}: {}",
                    kind.event_type, kind.event_version, kind.schema_version, kind.events
                )?;
            }
        }
        list(f, "guessed", &self.guesses)?;
        list(f, "in the way", &self.problems)?;
        let (imported, skipped) = (self.imported, self.skipped);
        match (self.dry_run, self.problems.is_empty()) {
            (_, false) => f.write_str("\nnothing was imported"),
            (true, true) => {
                f.write_str("\na rehearsal: nothing was imported, nothing is in the way")
            }
            (false, true) => {
                write!(f, "\n{imported} events imported, {skipped} were there from runs before")
            }
        }?;
        if self.verified > 0 {
            write!(f, "; {} streams folded and compared", self.verified)?;
        }
        Ok(())
    }
}

fn list(f: &mut fmt::Formatter<'_>, title: &str, lines: &[String]) -> fmt::Result {
    if !lines.is_empty() {
        writeln!(f, "\n{title}:")?;
    }
    lines.iter().try_for_each(|line| writeln!(f, "- {line}"))
}

/// The day of a time, in UTC.
fn day(time: SystemTime) -> String {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    // Years begin in March here, so that a leap day is the last one.
    let days = since.as_secs() / 86_400 + 719_468;
    let (cycle, day_of_cycle) = (days / 146_097, days % 146_097);
    let year_of_cycle = (day_of_cycle - day_of_cycle / 1_460 + day_of_cycle / 36_524
        - day_of_cycle / 146_096)
        / 365;
    let day_of_year =
        day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = cycle * 400 + year_of_cycle + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        for (seconds, expected) in [
            (0, "1970-01-01"),
            (951_782_400, "2000-02-29"),
            (951_868_800, "2000-03-01"),
            (4_107_542_399, "2100-02-28"),
            (4_107_542_400, "2100-03-01"),
            (1_735_689_599, "2024-12-31"),
        ] {
            assert_eq!(day(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)), expected);
        }
    }
}
