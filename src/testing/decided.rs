//! What must have come of a command with a boundary.

use std::fmt::Debug;
use std::time::{Duration, SystemTime};

use foldlog_core::{EventSet, Metadata, Recorded};
use foldlog_eventstore::StreamEvents;
use uuid::Uuid;

use super::events::GivenEvents;
use super::happened::{Happened, difference, texts};
use super::past::{End, Flaw, Outcome, Past};
use crate::boundary::Boundary;

/// Between lines of one part of a failure.
const BELOW: &str = "\n          ";

/// A command that was decided, and what is expected of it.
///
/// Each method checks one thing and gives the same back, so several may follow one another. A command
/// that is not accepted must be expected not to be, before the test goes on.
pub struct WhenDecided<B: Boundary> {
    past: Past,
    /// How many events there were before the command.
    before: usize,
    command: B,
    end: End<B::Reply, B::Rejection>,
    /// Whether the test has said that the command is not accepted.
    expected: bool,
}

impl<B: Boundary> WhenDecided<B> {
    pub(super) fn new(
        mut past: Past,
        command: B,
        outcome: Outcome<B::Reply, B::Rejection>,
    ) -> Self {
        let before = past.events.len();
        let (end, emitted) = outcome.parted();
        past.events.extend(emitted);
        Self { past, before, command, end, expected: false }
    }

    /// The command is accepted, whatever it emits.
    ///
    /// # Panics
    ///
    /// If it is not.
    #[track_caller]
    pub fn accepts(self) -> Self {
        match &self.end {
            End::Accepted(_) => self,
            _ => self.fail("that it is accepted"),
        }
    }

    /// The command emits exactly these events for these streams, in this order:
    /// `emits([any(&course, Subscribed { .. })])`.
    ///
    /// They are compared as they would be stored, stream by stream, with their tags; events need not
    /// be [`PartialEq`]. What a stream is expected to be at is not compared: whether it holds was
    /// judged when the command was decided.
    ///
    /// # Panics
    ///
    /// If it emits others or is not accepted.
    #[track_caller]
    pub fn emits(self, events: impl IntoIterator<Item = StreamEvents>) -> Self {
        let events = events.into_iter().collect();
        let expected = match self.past.stored(self.before, events, &Metadata::new()) {
            Ok(expected) => expected,
            Err(Flaw::Fault(fault) | Flaw::Conflict(fault)) => {
                self.past.fail(&format!("what is expected is at fault: {fault}"))
            }
        };
        if !matches!(self.end, End::Accepted(_)) {
            self.fail(&texts(&expected, BELOW));
        }
        let (this, that) = ("in what was expected", "in what came");
        if let Some(told) = difference(&expected, self.emitted(), this, that) {
            self.fail(&format!("{}{BELOW}{told}", texts(&expected, BELOW)));
        }
        self
    }

    /// The command emits events of a type, or of a union, that satisfy a condition; those of other
    /// categories are passed over: `emits_with(|events: &[Recorded<CourseEvent>]| …)`.
    ///
    /// # Panics
    ///
    /// If they do not, or the command is not accepted.
    #[track_caller]
    pub fn emits_with<E: EventSet>(self, condition: impl FnOnce(&[Recorded<E>]) -> bool) -> Self {
        let of = |event: &&Happened| E::CATEGORIES.contains(&event.raw.stream.category());
        let events = self.emitted().iter().filter(of).map(|event| event.raw.typed::<E>());
        let events: Vec<_> = match events.collect() {
            Ok(events) => events,
            Err(error) => self.past.fail(&format!("what came can't be read: {error}")),
        };
        if !matches!(self.end, End::Accepted(_)) || !condition(&events) {
            self.fail("events that satisfy the condition of `emits_with`");
        }
        self
    }

    /// The command is accepted, and emits nothing.
    ///
    /// # Panics
    ///
    /// If it emits an event or is not accepted.
    #[track_caller]
    pub fn does_nothing(self) -> Self {
        self.emits([])
    }

    /// The command is accepted with this reply.
    ///
    /// # Panics
    ///
    /// If the reply is another or the command is not accepted.
    #[allow(clippy::needless_pass_by_value, reason = "a test reads better without a reference")]
    #[track_caller]
    pub fn replies(self, expected: B::Reply) -> Self
    where
        B::Reply: Debug + PartialEq,
    {
        match &self.end {
            End::Accepted(reply) if *reply == expected => self,
            End::Accepted(reply) => {
                self.fail_with(&format!("reply {expected:?}"), &format!("reply {reply:?}"))
            }
            _ => self.fail(&format!("reply {expected:?}")),
        }
    }

    /// The command is accepted with a reply that satisfies a condition.
    ///
    /// # Panics
    ///
    /// If it does not, or the command is not accepted.
    #[track_caller]
    pub fn replies_with(self, condition: impl FnOnce(&B::Reply) -> bool) -> Self {
        match &self.end {
            End::Accepted(reply) if condition(reply) => self,
            _ => self.fail("a reply that satisfies the condition of `replies_with`"),
        }
    }

    /// The command is rejected like this. [`rejects_with`](Self::rejects_with) is for rejections that
    /// can't be compared.
    ///
    /// # Panics
    ///
    /// If it is accepted or rejected otherwise.
    #[allow(clippy::needless_pass_by_value, reason = "a test reads better without a reference")]
    #[track_caller]
    pub fn rejects(self, expected: B::Rejection) -> Self
    where
        B::Rejection: PartialEq,
    {
        match &self.end {
            End::Rejected(rejection) if *rejection == expected => self.held(),
            _ => self.fail(&format!("rejection {expected:?}")),
        }
    }

    /// The command is rejected, and the rejection satisfies a condition.
    ///
    /// # Panics
    ///
    /// If it is accepted or the condition is not satisfied.
    #[track_caller]
    pub fn rejects_with(self, condition: impl FnOnce(&B::Rejection) -> bool) -> Self {
        match &self.end {
            End::Rejected(rejection) if condition(rejection) => self.held(),
            _ => self.fail("a rejection that satisfies the condition of `rejects_with`"),
        }
    }

    /// The command is decided, but a stream is not as the decision expects it (`no_stream`, `exists`):
    /// in production a [`Conflict`](crate::ExecuteError::Conflict).
    ///
    /// # Panics
    ///
    /// If it is accepted or rejected.
    #[track_caller]
    pub fn conflicts(self) -> Self {
        match &self.end {
            End::Conflict(_) => self.held(),
            _ => self.fail("a conflict"),
        }
    }

    /// Shows what the command's own models make of what has happened after it, to be asserted on.
    ///
    /// # Panics
    ///
    /// If the command was not accepted and nothing expected that.
    #[track_caller]
    pub fn models(self, check: impl FnOnce(&B::Models)) -> Self {
        self.check_expected();
        match self.past.fold::<B::Models>(&self.command.about()) {
            Ok((models, _)) => check(&models),
            Err(fault) => self.past.fail(&fault),
        }
        self
    }

    /// The next command, on all that has happened: [`GivenEvents::when`] once more.
    ///
    /// # Panics
    ///
    /// If this command was not accepted and nothing expected that; as [`GivenEvents::when`].
    #[must_use = "say what must come of it: `emits`, `rejects`, `replies`, `does_nothing`, …"]
    #[track_caller]
    pub fn then_when<C: Boundary>(self, command: C) -> WhenDecided<C> {
        self.then().when(command)
    }

    /// What happens before the next command, within its boundary.
    ///
    /// # Panics
    ///
    /// If this command was not accepted and nothing expected that; as [`given_events`](super::given_events).
    #[must_use = "nothing is tested before `when`"]
    #[track_caller]
    pub fn then_given(self, events: impl IntoIterator<Item = StreamEvents>) -> GivenEvents {
        self.then().give(events, true)
    }

    /// What time it is for the commands to come.
    #[must_use = "the time is for the commands to come"]
    pub fn at(mut self, now: SystemTime) -> Self {
        self.past.now = now;
        self
    }

    /// Lets time pass before the next command.
    #[must_use = "the time is for the commands to come"]
    pub fn later(mut self, by: Duration) -> Self {
        self.past.now += by;
        self
    }

    /// What the commands to come are sent with.
    #[must_use = "the metadata is for the commands to come"]
    pub fn metadata(mut self, metadata: Metadata) -> Self {
        self.past.metadata = metadata;
        self
    }

    /// The id of the next command.
    #[must_use = "the id is for the next command"]
    pub fn command_id(mut self, id: Uuid) -> Self {
        self.past.command_id = Some(id);
        self
    }

    fn emitted(&self) -> &[Happened] {
        self.past.events.get(self.before..).unwrap_or_default()
    }

    fn held(mut self) -> Self {
        self.expected = true;
        self
    }

    #[track_caller]
    fn then(self) -> GivenEvents {
        self.check_expected();
        GivenEvents::of(self.past)
    }

    #[track_caller]
    fn check_expected(&self) {
        if !matches!(self.end, End::Accepted(_)) && !self.expected {
            self.fail("that it is accepted, since nothing was said of a rejection");
        }
    }

    #[track_caller]
    fn fail(&self, expected: &str) -> ! {
        let came = match &self.end {
            End::Accepted(_) => texts(self.emitted(), BELOW),
            End::Rejected(rejection) => format!("rejection {rejection:?}"),
            End::Conflict(text) => format!("conflict: {text}"),
        };
        self.fail_with(expected, &came)
    }

    #[track_caller]
    fn fail_with(&self, expected: &str, came: &str) -> ! {
        self.past.fail_expected(self.before, expected, came)
    }
}

impl<B: Boundary> Debug for WhenDecided<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WhenDecided")
            .field("events", &self.past.events.len())
            .field("accepted", &matches!(self.end, End::Accepted(_)))
            .finish_non_exhaustive()
    }
}
