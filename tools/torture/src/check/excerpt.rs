//! The least of a history that shows a finding: calls with their times, rows, and what was done to
//! the system meanwhile.

use std::fmt::Write as _;

use super::calls::{Call, NEVER};
use super::case::name;
use crate::history::{
    Append, Commit, Expect, Fault, History, Load, Moment, Outcome, Page, Seen, Stored, Sum,
    Transaction, ViewShot,
};

/// More faults than these in one span show nothing.
const FAULTS: usize = 6;
/// More events than these of one call or page are counted.
const LISTED: usize = 8;

pub(super) struct Excerpt<'a> {
    history: &'a History,
    lines: Vec<String>,
    span: Option<(Moment, Moment)>,
}

impl<'a> Excerpt<'a> {
    pub(super) fn of(history: &'a History) -> Self {
        Self { history, lines: Vec::new(), span: None }
    }

    pub(super) fn line(mut self, text: impl Into<String>) -> Self {
        self.lines.push(text.into());
        self
    }

    fn timed(mut self, begun: Moment, ended: Moment, text: &str) -> Self {
        let (from, to) = self.span.unwrap_or((begun, ended));
        self.span = Some((from.min(begun), to.max(ended)));
        self.line(format!("{} {text}", span(begun, ended)))
    }

    pub(super) fn call(self, append: &Append) -> Self {
        let transaction =
            append.transaction.and_then(|id| self.history.transactions.iter().find(|t| t.id == id));
        let text = told_append(self.history, append);
        let shown = self.timed(append.begun, append.ended, &text);
        match transaction {
            Some(transaction) => shown.transaction(transaction),
            None => shown,
        }
    }

    /// All calls of a request, as far as they fit.
    pub(super) fn calls(self, calls: &[Call<'_>]) -> Self {
        let shown = calls.iter().take(LISTED).fold(self, |shown, call| shown.call(call.append));
        match calls.len().checked_sub(LISTED) {
            Some(more @ 1..) => shown.line(format!("… and {more} more calls of this request")),
            _ => shown,
        }
    }

    fn transaction(self, transaction: &Transaction) -> Self {
        let commit = match transaction.commit {
            Commit::Done => "committed",
            Commit::RolledBack => "rolled back",
            Commit::Unknown => "commit unknown",
        };
        let text = format!("  transaction {}: {commit}", transaction.id);
        self.timed(transaction.begun, transaction.ended, &text)
    }

    pub(super) fn stored(self, stored: &Stored) -> Self {
        let Stored { position, version, mark, cents, slice, .. } = stored;
        let stream = name(self.history, stored.stream);
        self.line(format!(
            "stored: {stream} version {version} at {position}, mark {mark}, {cents} cents, slice {slice}"
        ))
    }

    pub(super) fn stored_or_not(self, stored: Option<&Stored>, mark: u64) -> Self {
        match stored {
            Some(stored) => self.stored(stored),
            None => self.line(format!("stored: nothing with mark {mark}")),
        }
    }

    pub(super) fn seen(self, seen: &Seen) -> Self {
        let Seen { position, version, mark, .. } = seen;
        let stream = name(self.history, seen.stream);
        self.line(format!("delivered: {stream} version {version} at {position}, mark {mark}"))
    }

    pub(super) fn page(self, page: &Page) -> Self {
        let Page { reader, life, after, through, .. } = page;
        let mut positions = String::new();
        for seen in page.events.iter().take(LISTED) {
            let _written = write!(positions, " {}", seen.position);
        }
        if page.events.len() > LISTED {
            positions.push_str(" …");
        }
        let count = page.events.len();
        let text = format!(
            "page of reader {reader}, life {life}: after {after} through {through}, {count} events{positions}"
        );
        self.timed(page.begun, page.ended, &text)
    }

    pub(super) fn load(self, load: &Load) -> Self {
        let Load { kind, version, cents, .. } = load;
        let stream = name(self.history, load.stream);
        let text = format!("load {kind:?} of {stream}: version {version}, {cents} cents");
        self.timed(load.begun, load.ended, &text)
    }

    pub(super) fn sum(self, sum: &Sum) -> Self {
        let text = format!("sum: {} events, {} cents", sum.events, sum.cents);
        self.timed(sum.begun, sum.ended, &text)
    }

    pub(super) fn shot(self, shot: &ViewShot) -> Self {
        let mut classes = String::new();
        for (modulus, remainder, position) in &shot.checkpoints {
            let _written = write!(classes, " {remainder}/{modulus} at {position}");
        }
        let text = format!("view {}: checkpoints{classes}", shot.view);
        self.timed(shot.begun, shot.ended, &text)
    }

    pub(super) fn moment(self, begun: Moment, ended: Moment, text: &str) -> Self {
        self.timed(begun, ended, text)
    }

    /// The lines, and the faults of the time they span.
    pub(super) fn lines(mut self) -> Vec<String> {
        let Some((from, to)) = self.span else { return self.lines };
        let overlaps = |fault: &&Fault| fault.begun <= to && from <= fault.ended;
        let faults = self.history.faults.iter().filter(overlaps);
        self.lines.extend(faults.clone().take(FAULTS).map(|fault| {
            format!("{} fault {}: {}", span(fault.begun, fault.ended), fault.kind, fault.detail)
        }));
        if let Some(more @ 1..) = faults.count().checked_sub(FAULTS) {
            self.lines.push(format!("… and {more} more faults"));
        }
        self.lines
    }
}

/// Times in milliseconds since the run began.
fn span(begun: Moment, ended: Moment) -> String {
    format!("[{} – {}]", ms(begun), ms(ended))
}

fn ms(moment: Moment) -> String {
    if moment == NEVER {
        return format!("{:>10}", "?");
    }
    format!("{:>6}.{:03}", moment / 1_000_000, moment / 1_000 % 1_000)
}

fn told_append(history: &History, append: &Append) -> String {
    let mut text = format!("append {}", append.request);
    for part in &append.parts {
        let expected = match part.expected {
            Expect::Any => "any".to_owned(),
            Expect::Exists => "exists".to_owned(),
            Expect::NoStream => "no stream".to_owned(),
            Expect::Exact(version) => format!("exact {version}"),
        };
        let _written = write!(text, ", {} ({expected})", name(history, part.stream));
        for mark in part.marks.iter().take(LISTED) {
            let _written = write!(text, " {mark}");
        }
        if part.marks.len() > LISTED {
            text.push_str(" …");
        }
    }
    text.push_str(": ");
    text.push_str(&told_outcome(history, &append.outcome));
    if append.undone {
        text.push_str(", undone");
    }
    text
}

fn told_outcome(history: &History, outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done { repeated, versions, positions } => {
            let repeated = if *repeated { " as a repeat" } else { "" };
            format!("done{repeated}, versions {versions:?}, positions {positions:?}")
        }
        Outcome::Conflict { stream, actual } => {
            format!("conflict, {} at {actual}", name(history, *stream))
        }
        Outcome::Overtaken { position } => format!("overtaken, by what stands at {position}"),
        Outcome::Closed { by, forever } => {
            let how = if *forever { "tombstoned" } else { "archived" };
            format!("refused, {how} by mark {by}")
        }
        Outcome::Failed => "failed".to_owned(),
        Outcome::Unknown => "unknown".to_owned(),
    }
}
