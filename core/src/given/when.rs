//! What must have come of a command.

use std::fmt::Debug;
use std::time::{Duration, SystemTime};

use uuid::Uuid;

use super::outcome::{Answer, difference, listed};
use super::stored::Stored;
use super::{Given, fold};
use crate::decider::{CommandOf, Decider};
use crate::metadata::Metadata;

/// Between lines of one part of a failure.
const BELOW: &str = "\n          ";

/// A command that was decided, and what is expected of it.
///
/// Each method checks one thing and gives the same back, so several may follow one another. A
/// command that is rejected must be expected to be, before the test goes on.
pub struct When<A: Decider, R> {
    given: Given<A>,
    /// How many events there were before the command.
    before: usize,
    outcome: Answer<A, R>,
    /// Whether the test has said that the command is rejected.
    expected: bool,
}

impl<A: Decider, R> When<A, R> {
    pub(super) fn new(given: Given<A>, before: usize, outcome: Answer<A, R>) -> Self {
        Self { given, before, outcome, expected: false }
    }

    /// The command emits exactly these events, in this order.
    ///
    /// They are compared as they would be stored, so events need not be [`PartialEq`].
    ///
    /// # Panics
    ///
    /// If it emits others or is rejected.
    #[track_caller]
    pub fn emits(self, events: impl IntoIterator<Item = A::Event>) -> Self {
        let expected = match self.given.stored(self.before, events) {
            Ok(expected) => expected,
            Err(fault) => self.given.fail(&format!("what is expected is at fault: {fault}")),
        };
        if self.outcome.is_err() {
            self.fail(&listed(&expected, BELOW));
        }
        if let Some(difference) = difference(&expected, self.emitted()) {
            let told = difference.told("in what was expected", "in what came");
            self.fail(&format!("{}{BELOW}{told}", listed(&expected, BELOW)));
        }
        self
    }

    /// The command emits events that satisfy a condition: for those whose content is not known.
    ///
    /// # Panics
    ///
    /// If they do not, or the command is rejected.
    #[track_caller]
    pub fn emits_with(self, condition: impl FnOnce(&[&A::Event]) -> bool) -> Self {
        let events: Vec<&A::Event> = self.emitted().iter().map(|stored| &stored.event).collect();
        if self.outcome.is_err() || !condition(&events) {
            self.fail("events that satisfy the condition of `emits_with`");
        }
        self
    }

    /// The command is accepted, and emits nothing.
    ///
    /// # Panics
    ///
    /// If it emits an event or is rejected.
    #[track_caller]
    pub fn does_nothing(self) -> Self {
        self.emits([])
    }

    /// The command is accepted with this reply.
    ///
    /// # Panics
    ///
    /// If the reply is another or the command is rejected.
    #[allow(clippy::needless_pass_by_value, reason = "a test reads better without a reference")]
    #[track_caller]
    pub fn replies(self, expected: R) -> Self
    where
        R: Debug + PartialEq,
    {
        match &self.outcome {
            Ok(reply) if *reply == expected => self,
            Ok(reply) => {
                self.fail_with(&format!("reply {expected:?}"), &format!("reply {reply:?}"))
            }
            Err(_) => self.fail(&format!("reply {expected:?}")),
        }
    }

    /// The command is accepted with a reply that satisfies a condition.
    ///
    /// # Panics
    ///
    /// If it does not, or the command is rejected.
    #[track_caller]
    pub fn replies_with(self, condition: impl FnOnce(&R) -> bool) -> Self {
        match &self.outcome {
            Ok(reply) if condition(reply) => self,
            _ => self.fail("a reply that satisfies the condition of `replies_with`"),
        }
    }

    /// The command is rejected like this. [`rejects_with`](Self::rejects_with) is for rejections
    /// that can't be compared.
    ///
    /// # Panics
    ///
    /// If it is accepted or rejected otherwise.
    #[allow(clippy::needless_pass_by_value, reason = "a test reads better without a reference")]
    #[track_caller]
    pub fn rejects(mut self, expected: A::Rejection) -> Self
    where
        A::Rejection: PartialEq,
    {
        match &self.outcome {
            Err(rejection) if *rejection == expected => self.expected = true,
            _ => self.fail(&format!("rejection {expected:?}")),
        }
        self
    }

    /// The command is rejected, and the rejection satisfies a condition.
    ///
    /// # Panics
    ///
    /// If it is accepted or the condition is not satisfied.
    #[track_caller]
    pub fn rejects_with(mut self, condition: impl FnOnce(&A::Rejection) -> bool) -> Self {
        match &self.outcome {
            Err(rejection) if condition(rejection) => self.expected = true,
            _ => self.fail("a rejection that satisfies the condition of `rejects_with`"),
        }
        self
    }

    /// Shows the state after the command, to be asserted on.
    ///
    /// # Panics
    ///
    /// If the command was rejected and nothing expected that.
    #[track_caller]
    pub fn state(self, check: impl FnOnce(&A)) -> Self {
        self.check_expected();
        check(&fold(&self.given.events));
        self
    }

    /// The next command, on the state after this one: [`Given::when`] once more.
    ///
    /// # Panics
    ///
    /// If this command was rejected and nothing expected that; as [`Given::when`].
    #[must_use = "say what must come of it: `emits`, `rejects`, `replies`, `does_nothing`, …"]
    #[track_caller]
    pub fn then_when<C: CommandOf<A>>(self, command: C) -> When<A, C::Reply> {
        self.check_expected();
        self.given.when(command)
    }

    /// What time it is for the commands to come.
    #[must_use = "the time is for the commands to come"]
    pub fn at(mut self, now: SystemTime) -> Self {
        self.given = self.given.at(now);
        self
    }

    /// Lets time pass before the next command.
    #[must_use = "the time is for the commands to come"]
    pub fn later(mut self, by: Duration) -> Self {
        self.given = self.given.later(by);
        self
    }

    /// What the commands to come are sent with: [`Given::metadata`].
    #[must_use = "the metadata is for the commands to come"]
    pub fn metadata(mut self, metadata: Metadata) -> Self {
        self.given = self.given.metadata(metadata);
        self
    }

    /// The id of the next command: [`Given::command_id`].
    #[must_use = "the id is for the next command"]
    pub fn command_id(mut self, id: Uuid) -> Self {
        self.given = self.given.command_id(id);
        self
    }

    fn emitted(&self) -> &[Stored<A::Event>] {
        self.given.events.get(self.before..).unwrap_or_default()
    }

    #[track_caller]
    fn check_expected(&self) {
        if self.outcome.is_err() && !self.expected {
            self.fail("that it is accepted, since nothing was said of a rejection");
        }
    }

    #[track_caller]
    fn fail(&self, expected: &str) -> ! {
        let came = match &self.outcome {
            Ok(_) => listed(self.emitted(), BELOW),
            Err(rejection) => format!("rejection {rejection:?}"),
        };
        self.fail_with(expected, &came)
    }

    #[track_caller]
    fn fail_with(&self, expected: &str, came: &str) -> ! {
        self.given.fail_expected(self.before, expected, came)
    }
}

impl<A: Decider, R> Debug for When<A, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("When")
            .field("given", &self.given)
            .field("rejected", &self.outcome.is_err())
            .finish_non_exhaustive()
    }
}
