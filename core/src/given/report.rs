//! The text of a failure: what was expected, what came, and what was before.

use std::any::type_name;
use std::fmt::Write;

use super::Given;
use super::fixture::moment;
use crate::decider::Decider;

/// How many events of the history are shown; those at its end tell most.
pub const SHOWN_MAX: usize = 20;

/// The name of a type without its path; a generic one keeps it all.
#[must_use]
pub fn short_name<T>() -> &'static str {
    let name = type_name::<T>();
    if name.contains('<') { name } else { name.rsplit("::").next().unwrap_or(name) }
}

impl<A: Decider> Given<A> {
    /// Ends the test: with the fault, and with what was given.
    #[track_caller]
    pub(super) fn fail(&self, fault: &str) -> ! {
        panic!("{fault}\n{}", self.history(self.events.len()))
    }

    /// Ends the test: with what was expected of the last command and what came.
    #[track_caller]
    pub(super) fn fail_expected(&self, before: usize, expected: &str, came: &str) -> ! {
        let command = self.commands.last().map_or("the command", |(_, command)| command);
        panic!(
            "{command} did not come to what was expected\nexpected: {expected}\n    came: {came}\n{}",
            self.history(before)
        )
    }

    /// What was given: the stream, its first events and the commands among them.
    fn history(&self, events: usize) -> String {
        let mut text = format!("   given: {}", short_name::<A>());
        if let Some(id) = &self.id {
            let _ = write!(text, " {id:?}");
        }
        let _ = write!(text, " at version {events}, {}", moment::write(self.now));
        let hidden = events.saturating_sub(SHOWN_MAX);
        if hidden > 0 {
            let _ = write!(text, "\n          … {hidden} events before");
        }
        for index in hidden..=events {
            for (_, command) in self.commands.iter().filter(|(before, _)| *before == index) {
                let _ = write!(text, "\n          when {command}");
            }
            if index < events
                && let Some(event) = self.events.get(index)
            {
                let _ = write!(text, "\n          {} {}", index + 1, event.text());
            }
        }
        text
    }
}
