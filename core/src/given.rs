//! Given, when, then: tests of aggregates without a database.
//!
//! [`given`] takes the events of a stream, [`Given::when`] lets the aggregate decide on a command,
//! and [`When`] says what must have come of it. Every event is written and read back on the way, so
//! the aggregate sees what it would see in production. A failed expectation panics at the line of
//! the test, with what was expected, what came and the events before it.
//!
//! What the store itself refuses (limits of size and depth, characters that PostgreSQL can't hold)
//! is not checked here.

#[cfg(test)]
pub(crate) mod bank;
mod fixture;
mod outcome;
mod report;
mod sample;
mod snapshots;
mod stored;
mod tree;
mod when;

pub use fixture::Fixture;
pub use snapshots::snapshots_agree;
pub use stored::round_trips;
pub use when::When;

/// What the kit for boundaries takes over. Not part of the public interface.
#[doc(hidden)]
pub mod kit {
    pub use super::beginning;
    pub use super::fixture::moment::write as time_text;
    pub use super::report::{SHOWN_MAX, short_name};
    pub use super::stored::{chain, sample_id, token};
    pub use super::tree::{Difference, Tree};
}

use std::time::{Duration, SystemTime};

use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::decider::{CommandOf, Decider, IdOf};
use crate::event::EventSet;
use crate::metadata::Metadata;
use crate::stream::{StreamName, Tenant};

pub(crate) use tree::Tree;

use snapshots::Snapshots;
use stored::{Stored, chain, sample_stream};

/// When tests begin, unless they say otherwise: with the year 2000, in UTC. Far enough from the
/// beginning of time that a test can go back.
#[must_use]
pub fn beginning() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(946_684_800)
}

/// What has happened so far: the events of one stream, whose it is, and what time it is.
///
/// The time stands still until [`at`](Self::at) or [`later`](Self::later) moves it. It begins with
/// the year 2000, after a [`Fixture`] with its last event.
pub struct Given<A: Decider> {
    events: Vec<Stored<A::Event>>,
    /// The commands that were decided, each with the number of events before it.
    commands: Vec<(usize, &'static str)>,
    id: Option<IdOf<A>>,
    now: SystemTime,
    metadata: Metadata,
    /// Of the next command.
    command_id: Option<Uuid>,
    snapshots: Option<Snapshots<A>>,
}

/// Begins a test with the events of a stream; none for a new one.
///
/// The aggregate gets an id made of a sample text, "test" or 1 or a uuid; where the id matters, use
/// [`given_id`] or [`Given::id`].
///
/// # Panics
///
/// If an event does not mean the same once it was stored, see [`round_trips`].
#[must_use = "nothing is tested before `when` or `state`"]
#[track_caller]
pub fn given<A: Decider>(events: impl IntoIterator<Item = A::Event>) -> Given<A> {
    let mut given = Given {
        events: Vec::new(),
        commands: Vec::new(),
        id: None,
        now: beginning(),
        metadata: Metadata::new(),
        command_id: None,
        snapshots: None,
    };
    match given.stored(0, events) {
        Ok(events) => given.events = events,
        Err(fault) => panic!("{fault}"),
    }
    given
}

/// As [`given`], for the stream of an id.
///
/// # Panics
///
/// As [`given`] and [`Given::id`].
#[must_use = "nothing is tested before `when` or `state`"]
#[track_caller]
pub fn given_id<A: Decider>(id: IdOf<A>, events: impl IntoIterator<Item = A::Event>) -> Given<A> {
    given(events).id(id)
}

/// Begins a test with a stream that was exported: its id, its events, and the time of the last one.
///
/// # Panics
///
/// If the stream is not one of the aggregate, or the program can't read an event of it.
#[must_use = "nothing is tested before `when` or `state`"]
#[track_caller]
pub fn given_fixture<A: Decider>(fixture: &Fixture) -> Given<A> {
    let events = match fixture.recorded::<A::Event>() {
        Ok(events) => events,
        Err(error) => panic!("the fixture can't be given: {}", chain(&error)),
    };
    let id = match <A::Event as EventSet>::stream(fixture.stream()) {
        Ok(id) => id,
        Err(error) => panic!("the fixture can't be given: {}", chain(&error)),
    };
    let last = events.last().map(|event| event.recorded);
    let mut given = given_id::<A>(id, events.into_iter().map(|recorded| recorded.event));
    given.now = last.unwrap_or(given.now);
    given
}

impl<A: Decider> Given<A> {
    /// The id that the aggregate sees in its [`Context`](crate::Context).
    ///
    /// # Panics
    ///
    /// If the id can't name a stream, or is not found again in the name of its stream.
    #[must_use = "nothing is tested before `when` or `state`"]
    #[track_caller]
    pub fn id(mut self, id: IdOf<A>) -> Self {
        let stream = match StreamName::of::<A::Event>(&Tenant::default(), &id) {
            Ok(stream) => stream,
            Err(error) => panic!("{id:?} can't be an id: {}", chain(&error)),
        };
        match <A::Event as EventSet>::stream(&stream) {
            Ok(found) if found == id => {}
            Ok(found) => panic!("the id {id:?} names {stream}, where {found:?} is found instead"),
            Err(error) => panic!("the id {id:?} is not found again: {}", chain(&error)),
        }
        self.id = Some(id);
        self
    }

    /// What time it is for the commands to come.
    #[must_use = "nothing is tested before `when` or `state`"]
    pub fn at(mut self, now: SystemTime) -> Self {
        self.now = now;
        self
    }

    /// Lets time pass.
    #[must_use = "nothing is tested before `when` or `state`"]
    pub fn later(mut self, by: Duration) -> Self {
        self.now += by;
        self
    }

    /// What the commands to come are sent with: the aggregate sees it in its
    /// [`Context`](crate::Context).
    #[must_use = "nothing is tested before `when` or `state`"]
    pub fn metadata(mut self, metadata: Metadata) -> Self {
        self.metadata = metadata;
        self
    }

    /// The id of the next command, and of no other: in production a second one with this id would not
    /// be decided, but answered with the first one's reply.
    #[must_use = "nothing is tested before `when` or `state`"]
    pub fn command_id(mut self, id: Uuid) -> Self {
        self.command_id = Some(id);
        self
    }

    /// Checks [`snapshots_agree`] as well, now and after each command; and each command must come to
    /// the same on a state that was restored, after any of the events.
    ///
    /// # Panics
    ///
    /// As [`snapshots_agree`].
    #[must_use = "nothing is tested before `when` or `state`"]
    #[track_caller]
    pub fn with_snapshots(mut self) -> Self
    where
        A: Serialize + DeserializeOwned,
    {
        self.snapshots = Some(Snapshots::new());
        self.check_snapshots();
        self
    }

    /// Lets the aggregate decide on a command; what must come of it is said on the [`When`].
    ///
    /// The aggregate is asked twice, for it may be in production too: after a conflict.
    ///
    /// # Panics
    ///
    /// If it decides otherwise the second time; if an event that it emits does not mean the same
    /// once it was stored; if no id was given and none can be made up.
    #[must_use = "say what must come of it: `emits`, `rejects`, `replies`, `does_nothing`, …"]
    #[allow(clippy::needless_pass_by_value, reason = "a test reads better without a reference")]
    #[track_caller]
    pub fn when<C: CommandOf<A>>(mut self, command: C) -> When<A, C::Reply> {
        let Some(id) = self.id.clone().or_else(sample::id) else {
            self.fail(&sample::missing::<IdOf<A>>())
        };
        self.id = Some(id);
        let name = report::short_name::<C>();
        let before = self.events.len();
        self.commands.push((before, name));
        let outcome = match self.decide(&command) {
            Ok(outcome) => outcome,
            Err(fault) => self.fail(&fault),
        };
        self.command_id = None;
        let (outcome, emitted) = outcome.parted();
        self.events.extend(emitted);
        self.check_snapshots();
        When::new(self, before, outcome)
    }

    /// Shows the state, to be asserted on.
    #[track_caller]
    pub fn state(self, check: impl FnOnce(&A)) -> Self {
        check(&fold(&self.events));
        self
    }

    #[track_caller]
    fn check_snapshots(&self) {
        let Some(snapshots) = &self.snapshots else { return };
        if let Err(fault) = snapshots.check(&self.events) {
            self.fail(&fault);
        }
    }

    /// Events as the store would give them back, if there were so many before them.
    fn stored(
        &self,
        before: usize,
        events: impl IntoIterator<Item = A::Event>,
    ) -> Result<Vec<Stored<A::Event>>, String> {
        let stream = sample_stream::<A::Event>();
        (before as u64 + 1..)
            .zip(events)
            .map(|(version, event)| Stored::of(&event, &stream, version, self.now))
            .collect()
    }

    fn version(&self) -> u64 {
        self.events.len() as u64
    }
}

impl<A: Decider> std::fmt::Debug for Given<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Given")
            .field("id", &self.id)
            .field("version", &self.version())
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

/// The state after events, as they were read back.
fn fold<A: Decider>(events: &[Stored<A::Event>]) -> A {
    let mut state = A::default();
    for stored in events {
        state.evolve(&stored.event);
    }
    state
}

#[cfg(test)]
mod tests;
