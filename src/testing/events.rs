//! What a test of a boundary is given.

use std::time::{Duration, SystemTime};

use foldlog_core::{Metadata, Models};
use foldlog_eventstore::StreamEvents;
use uuid::Uuid;

use super::decided::WhenDecided;
use super::past::Past;
use crate::boundary::Boundary;

/// What has happened so far, in whatever streams, and what time it is.
///
/// The time stands still until [`at`](Self::at) or [`later`](Self::later) moves it, and begins with the
/// year 2000.
pub struct GivenEvents {
    past: Past,
}

/// Begins a test of a command with a [`Boundary`], by what has happened within it:
/// `given_events([any(&course, Defined { .. })]).when(Subscribe { .. })`.
///
/// Each event must be within the boundary of the command that comes next: one that is not can't
/// matter, so most likely its tag is missing. What is to show that it does not matter is given by
/// [`GivenEvents::with_others`].
///
/// # Panics
///
/// If an event does not mean the same once it was stored, or could not be appended.
#[must_use = "nothing is tested before `when` or `model`"]
#[track_caller]
pub fn given_events(events: impl IntoIterator<Item = StreamEvents>) -> GivenEvents {
    let given = GivenEvents { past: Past::new() };
    given.give(events, true)
}

impl GivenEvents {
    /// Other events, after those before: of no matter to the command that comes next. One that is
    /// within its boundary fails the test.
    ///
    /// # Panics
    ///
    /// As [`given_events`].
    #[must_use = "nothing is tested before `when` or `model`"]
    #[track_caller]
    pub fn with_others(self, events: impl IntoIterator<Item = StreamEvents>) -> Self {
        self.give(events, false)
    }

    /// What time it is for the commands to come.
    #[must_use = "nothing is tested before `when` or `model`"]
    pub fn at(mut self, now: SystemTime) -> Self {
        self.past.now = now;
        self
    }

    /// Lets time pass.
    #[must_use = "nothing is tested before `when` or `model`"]
    pub fn later(mut self, by: Duration) -> Self {
        self.past.now += by;
        self
    }

    /// What the commands to come are sent with.
    #[must_use = "nothing is tested before `when` or `model`"]
    pub fn metadata(mut self, metadata: Metadata) -> Self {
        self.past.metadata = metadata;
        self
    }

    /// The id of the next command, and of no other.
    #[must_use = "nothing is tested before `when` or `model`"]
    pub fn command_id(mut self, id: Uuid) -> Self {
        self.past.command_id = Some(id);
        self
    }

    /// Lets a command be decided; what must come of it is said on the [`WhenDecided`].
    ///
    /// Each of its models is given the events that its own query selects. The command is decided
    /// twice, for it may be in production too: after a conflict.
    ///
    /// # Panics
    ///
    /// If a given event is not within its boundary, or another one is; if it decides otherwise the
    /// second time; if an event that it emits could not be appended, or does not mean the same once
    /// it was stored.
    #[must_use = "say what must come of it: `emits`, `rejects`, `replies`, `does_nothing`, …"]
    #[track_caller]
    pub fn when<B: Boundary>(mut self, command: B) -> WhenDecided<B> {
        match self.past.decide(&command) {
            Ok(outcome) => WhenDecided::new(self.past, command, outcome),
            Err(fault) => self.past.fail(&fault),
        }
    }

    /// Shows what a model makes of the events, to be asserted on: `.model::<Places>(&course, |places|
    /// …)`; also a tuple of models. Events that it does not ask for are passed over.
    ///
    /// # Panics
    ///
    /// If its query can't be, or it can't read an event.
    #[track_caller]
    pub fn model<M: Models>(self, about: &M::About, check: impl FnOnce(&M)) -> Self {
        match self.past.fold::<M>(about) {
            Ok((models, _)) => check(&models),
            Err(fault) => self.past.fail(&fault),
        }
        self
    }

    pub(super) fn of(past: Past) -> Self {
        Self { past }
    }

    #[track_caller]
    pub(super) fn give(
        mut self,
        events: impl IntoIterator<Item = StreamEvents>,
        inside: bool,
    ) -> Self {
        if let Err(fault) = self.past.give(events, inside) {
            self.past.fail(&fault);
        }
        self
    }
}

impl std::fmt::Debug for GivenEvents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GivenEvents")
            .field("events", &self.past.events.len())
            .field("now", &self.past.now)
            .finish_non_exhaustive()
    }
}
