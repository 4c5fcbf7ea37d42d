//! Commands with a boundary on their way: read, decide, append on condition, and decide again after a
//! conflict.

mod run;

use std::fmt;
use std::future::IntoFuture;
use std::marker::PhantomData;

use foldlog_core::{BoxFuture, Metadata, Retry, Token};
use foldlog_eventstore::StreamAppended;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::app::App;
use crate::boundary::Boundary;
use crate::execute::{ExecuteError, Kept, Own, Retried};
use crate::pending::Pending;
use run::{Options, Via};

/// A command with a boundary that was accepted.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Done<R, T = Token> {
    /// What the decision answered.
    pub reply: R,
    /// Each stream that it appended to. Empty for a decision without events, and for a repetition that
    /// was told by its receipt.
    pub streams: Vec<StreamAppended>,
    /// A view read `at_least` this token holds what the command did. In a transaction of yours a
    /// [`Pending`], which becomes the token after the commit.
    pub token: T,
    /// Whether the command had been accepted before, under its [`command_id`](Decide::command_id); the
    /// rest is then the answer of then.
    pub repeated: bool,
}

/// A command with a boundary, in transactions of its own. Await it.
///
/// Dropping the future leaves the command done or not done, never in part, and nothing locked.
#[must_use = "a command runs when it is awaited"]
pub struct Decide<B: Boundary, M = Own> {
    app: App,
    command: B,
    options: Options<B::Reply>,
    retry: Retry,
    mode: PhantomData<fn() -> M>,
}

/// A command with a boundary in a transaction of yours. Await it.
#[must_use = "a command runs when it is awaited"]
pub struct DecideWithin<'c, B: Boundary> {
    decide: Decide<B>,
    conn: &'c mut PgConnection,
}

impl App {
    /// Sends a command that decides on a boundary of its own: see [`Boundary`].
    ///
    /// When awaited it reads what the command's models ask for, lets it decide and appends the events,
    /// on condition that no event was added that the models would have been given. If one was, they are
    /// read and the command decided again, as [`Retry`]'s default says or as [`Decide::retry`] does.
    /// Decisions on different tags do not stand in one another's way.
    ///
    /// A decision without events is not written: under its [`command_id`](Decide::command_id) it is
    /// taken again.
    pub fn decide<B: Boundary>(&self, command: B) -> Decide<B> {
        let (options, retry) = (Options::default(), Retry::default());
        Decide { app: self.clone(), command, options, retry, mode: PhantomData }
    }
}

impl<B: Boundary> Decide<B> {
    /// Runs the command in a transaction of yours, which must be at isolation level read committed: its
    /// events are there when the transaction commits, and never were if it does not.
    ///
    /// A conflict goes to you at once, and leaves the transaction usable; nothing is retried. From the
    /// first event to the commit, readers of the settled order wait behind this transaction, and so do
    /// decisions on the same tags: decide late, commit soon.
    pub fn within(self, conn: &mut PgConnection) -> DecideWithin<'_, B> {
        DecideWithin { decide: self, conn }
    }
}

impl<B: Boundary, M> Decide<B, M> {
    /// The id under which a repetition of this command is recognised, for ever and in every process: it
    /// changes nothing and answers what the first one answered, even if it would be rejected by now. A
    /// command that was rejected, or that decided on no event, is decided again.
    ///
    /// The reply is kept as JSON; one that can't be read any more is
    /// [`ErrorKind::Decode`](crate::ErrorKind::Decode). An id that a command of an aggregate was sent
    /// with is [`ErrorKind::IdReused`](crate::ErrorKind::IdReused).
    pub fn command_id(mut self, id: Uuid) -> Self
    where
        B::Reply: Serialize + DeserializeOwned,
    {
        self.options.kept = Some(Kept::new(id));
        self
    }

    /// What is recorded beside each event; the decision sees it in its
    /// [`BoundaryContext`](crate::BoundaryContext).
    pub fn metadata(mut self, metadata: Metadata) -> Self {
        self.options.metadata = metadata;
        self
    }

    /// How often the command is decided again after a conflict.
    pub fn retry(self, retry: Retry) -> Decide<B, Retried> {
        let Self { app, command, options, .. } = self;
        Decide { app, command, options, retry, mode: PhantomData }
    }
}

impl<B: Boundary> DecideWithin<'_, B> {
    /// As [`Decide::command_id`]; the receipt commits with your transaction.
    pub fn command_id(mut self, id: Uuid) -> Self
    where
        B::Reply: Serialize + DeserializeOwned,
    {
        self.decide = self.decide.command_id(id);
        self
    }

    /// As [`Decide::metadata`].
    pub fn metadata(mut self, metadata: Metadata) -> Self {
        self.decide = self.decide.metadata(metadata);
        self
    }
}

impl<B: Boundary, M: 'static> IntoFuture for Decide<B, M> {
    type Output = Result<Done<B::Reply>, ExecuteError<B::Rejection>>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let Self { app, command, options, retry, .. } = self;
            run::run(&app, &command, options, retry, Via::Own).await
        })
    }
}

impl<'c, B: Boundary> IntoFuture for DecideWithin<'c, B> {
    type Output = Result<Done<B::Reply, Pending>, ExecuteError<B::Rejection>>;
    type IntoFuture = BoxFuture<'c, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let Decide { app, command, options, .. } = self.decide;
            let via = Via::In(self.conn);
            let done = run::run(&app, &command, options, Retry::never(), via).await?;
            let Done { reply, streams, token, repeated } = done;
            Ok(Done { reply, streams, token: Pending::new(app.store().clone(), token), repeated })
        })
    }
}

impl<B: Boundary, M> fmt::Debug for Decide<B, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decide")
            .field("command", &std::any::type_name::<B>())
            .finish_non_exhaustive()
    }
}

impl<B: Boundary> fmt::Debug for DecideWithin<'_, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DecideWithin").field("decide", &self.decide).finish_non_exhaustive()
    }
}
