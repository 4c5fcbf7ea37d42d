//! Boundaries: decisions that rest on events of many streams.

use std::time::SystemTime;

use foldlog_core::{Decision, Metadata, Models};
use foldlog_eventstore::StreamEvents;
use uuid::Uuid;

/// What a boundary's decision comes to: events for streams and a reply, or a rejection.
pub type Concluded<B> =
    Result<Decision<StreamEvents, <B as Boundary>::Reply>, <B as Boundary>::Rejection>;

/// A command whose decision rests on events wherever they are, and not on one stream: a consistency
/// boundary drawn for this decision. Send it by [`App::decide`](crate::App::decide).
///
/// Its [`Model`](crate::Model)s say which events it rests on, by types and tags. The decision is stored
/// only if no such event was added since they were read. Which stream an event goes to is of no matter
/// to that; usually it is the one of the thing that the event is about.
///
/// # Contract
///
/// `decide` is pure and may run several times for one command: after a conflict it runs again on newer
/// models. What it must not pass by has to be in a model's query, or two decisions that exclude one
/// another can both be made: no event of a stream counts just because the decision appends to it.
///
/// ```
/// use foldlog::prelude::*;
///
/// #[derive(Key, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
/// struct UserId(u64);
///
/// #[derive(Key, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
/// #[key(tag = "email")]
/// struct Email(String);
///
/// #[derive(Event, serde::Serialize, serde::Deserialize)]
/// #[event(category = "user", id = UserId)]
/// enum UserEvent { Registered { #[tag] email: Email } }
///
/// /// Whether an address is in use.
/// #[derive(Default)]
/// struct InUse(bool);
///
/// impl Model for InUse {
///     type Event = UserEvent;
///     type About = Email;
///     fn query(email: &Email) -> Query { Query::of::<UserEvent>().tag(email) }
///     fn evolve(&mut self, event: &Recorded<UserEvent>, _: &Email) {
///         match event.event {
///             UserEvent::Registered { .. } => self.0 = true,
///         }
///     }
/// }
///
/// #[derive(Debug, thiserror::Error)]
/// #[error("this address is in use")]
/// struct Taken;
///
/// struct Register { user: UserId, email: Email }
///
/// impl Boundary for Register {
///     type Models = InUse;
///     type Reply = ();
///     type Rejection = Taken;
///     fn about(&self) -> Email { self.email.clone() }
///     fn decide(&self, address: &InUse, _: &BoundaryContext) -> Concluded<Self> {
///         if address.0 { return Err(Taken) }
///         Ok(any(&self.user, UserEvent::Registered { email: self.email.clone() }).into())
///     }
/// }
///
/// # async fn send(app: App) -> Result<(), Box<dyn std::error::Error>> {
/// app.decide(Register { user: UserId(1), email: Email("ada@example.org".into()) }).await?;
/// # Ok(()) }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a command with a boundary of its own",
    label = "does not say what its decision rests on",
    note = "write `impl Boundary for {Self}`; a command of one aggregate is sent by `execute`"
)]
pub trait Boundary: Send + Sync + 'static {
    /// What the decision needs to know: a [`Model`](crate::Model), or a tuple of them.
    type Models: Models;
    /// What the caller gets when the command is accepted.
    type Reply: Send + 'static;
    /// Why the command may be refused.
    type Rejection: std::error::Error + Send + Sync + 'static;

    /// What the models are asked about, each in turn.
    fn about(&self) -> <Self::Models as Models>::About;

    /// Decides what happens.
    ///
    /// # Errors
    ///
    /// The rejection, if what is known does not allow the command. Nothing is stored then.
    fn decide(&self, models: &Self::Models, cx: &BoundaryContext) -> Concluded<Self>
    where
        Self: Sized;
}

/// What a decision may know besides its models.
#[derive(Clone, Debug)]
pub struct BoundaryContext {
    now: SystemTime,
    metadata: Metadata,
    command_id: Option<Uuid>,
}

impl BoundaryContext {
    /// A context; `decide` makes its own, tests make theirs.
    #[must_use]
    pub fn new(now: SystemTime) -> Self {
        Self { now, metadata: Metadata::new(), command_id: None }
    }

    /// With what the command was sent with. An id is the cause of what the command does, unless the
    /// metadata names another one.
    #[must_use]
    pub fn with_command(mut self, id: Option<Uuid>, metadata: Metadata) -> Self {
        self.command_id = id;
        self.metadata = metadata;
        if let (Some(id), None) = (id, &self.metadata.causation_id) {
            self.metadata.causation_id = Some(id.to_string());
        }
        self
    }

    /// The time of the decision, by the clock of the app. A retry sees the same time.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        self.now
    }

    /// What is recorded beside each event of the command.
    #[must_use]
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The id that the command was sent with, under which it is done once.
    #[must_use]
    pub fn command_id(&self) -> Option<Uuid> {
        self.command_id
    }
}
