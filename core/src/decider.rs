//! Aggregates: state from events, and events from commands. Pure and synchronous.

mod context;
mod decision;
mod snapshot;

pub use context::Context;
pub use decision::Decision;
pub use snapshot::{SnapshotRule, SnapshotState};

use crate::event::Event;
use crate::key::Key;

/// The id of an aggregate's streams.
pub type IdOf<A> = <<A as Decider>::Event as Event>::Id;

/// What a decision comes to: events and a reply, or a rejection.
pub type Decided<A, C> =
    Result<Decision<<A as Decider>::Event, <A as Handles<C>>::Reply>, <A as Decider>::Rejection>;

/// An aggregate: the state of one stream, folded from its events.
///
/// # Contract
///
/// `evolve` is pure: the same events in the same order give the same state, on every machine, for
/// ever. It takes no decision; an event has happened. [`Default`] is the state of a stream without
/// events.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an aggregate",
    label = "does not fold events",
    note = "write `impl Decider for {Self}` with its `Event`, `Rejection` and `evolve`"
)]
pub trait Decider: Default + Send + Sync + 'static {
    /// The events of its streams.
    type Event: Event;
    /// Why a command may be refused.
    type Rejection: std::error::Error + Send + Sync + 'static;

    /// Takes in an event.
    fn evolve(&mut self, event: &Self::Event);
}

/// One command of an aggregate. A command may be an enum: that is one impl too.
///
/// # Contract
///
/// `decide` is pure and may run several times for one command: after a conflict it runs again on
/// the newer state. A look-up belongs before it (the facade's `Prepare`), an effect after it; the
/// time is `cx.now()`.
pub trait Handles<C: Send + Sync + 'static>: Decider {
    /// What the caller gets when the command is accepted.
    type Reply: Send + 'static;

    /// Decides what happens.
    ///
    /// # Errors
    ///
    /// The rejection, if the state does not allow the command. Nothing is stored then.
    fn decide(&self, command: &C, cx: &Context<Self>) -> Decided<Self, C>;
}

/// [`Handles`] seen from the command: what `execute` asks for. Never implemented by hand.
#[diagnostic::on_unimplemented(
    message = "`{A}` does not handle the command `{Self}`",
    label = "not a command of `{A}`",
    note = "write `impl Handles<{Self}> for {A}`, or check that the id is the one of the aggregate \
            you mean"
)]
pub trait CommandOf<A: Decider>: Send + Sync + Sized + 'static {
    /// What the caller gets when the command is accepted.
    type Reply: Send + 'static;

    /// Decides what happens.
    ///
    /// # Errors
    ///
    /// The aggregate's rejection.
    fn decide(
        &self,
        state: &A,
        cx: &Context<A>,
    ) -> Result<Decision<A::Event, Self::Reply>, A::Rejection>;
}

#[diagnostic::do_not_recommend]
impl<A: Handles<C>, C: Send + Sync + 'static> CommandOf<A> for C {
    type Reply = A::Reply;

    fn decide(&self, state: &A, cx: &Context<A>) -> Decided<A, C> {
        state.decide(self, cx)
    }
}

/// Says which aggregate an id belongs to, so that `execute(&id, command)` needs no type names.
/// `#[derive(Aggregate)]` writes it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the id of an aggregate",
    label = "expected the id of an aggregate",
    note = "derive it on the state: `#[derive(Aggregate)] #[aggregate(id = {Self})]`"
)]
pub trait Identifies<A: Decider>: Key {
    /// The id as the aggregate's events know it.
    fn id(&self) -> IdOf<A>;

    /// When snapshots of the aggregate are taken. None are, and none looked for, unless its derive asks
    /// for them.
    #[must_use]
    fn snapshots() -> Option<&'static SnapshotRule<A>> {
        None
    }
}
