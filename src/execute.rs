//! Commands on their way: load, decide, append, and decide again after a conflict.

mod kept;
mod outcome;
mod prepare;
mod run;
mod within;

use std::future::IntoFuture;
use std::marker::PhantomData;

use foldlog_core::{
    BoxFuture, CommandOf, Decider, Error, IdOf, Identifies, Metadata, Retry, SnapshotRule,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::app::App;
use crate::loaded::{Loaded, Via, rule_of};

pub use outcome::{ExecuteError, Executed};
pub use prepare::{Prepare, Prepared, Ready, Sends};
pub use within::Within;

pub(crate) use kept::Kept;
use run::Options;
pub(crate) use run::chance;

/// A command that runs in transactions of its own. Await it.
///
/// It owns everything it needs, so it may be spawned, raced against a timeout, or dropped: the
/// command is then done or not done, never in part, and nothing stays locked.
///
/// `M` is [`Own`], or [`Retried`] once a [`retry`](Self::retry) was asked for. `S` says whether the
/// command is [`Ready`] or must be [`Prepared`] first.
#[must_use = "a command runs when it is awaited"]
pub struct Execute<A: Decider, C: CommandOf<A>, M = Own, S = Ready<C>> {
    app: App,
    id: IdOf<A>,
    rule: Option<&'static SnapshotRule<A>>,
    sent: S,
    options: Options<C::Reply>,
    retry: Retry,
    mode: PhantomData<fn() -> M>,
}

/// A command as `execute` makes it: it may still move [`within`](Execute::within) a transaction.
#[derive(Debug)]
pub struct Own;

/// A command with a say in its retries: it stays in transactions of its own, for only those can be
/// run again.
#[derive(Debug)]
pub struct Retried;

impl App {
    /// Sends a command to the aggregate of an id.
    ///
    /// When awaited it loads the stream, lets the aggregate decide and appends the events, on
    /// condition that the stream is as it was. If it is not, what came meanwhile is read and the
    /// command decided again, as [`Retry`]'s default says or as [`Execute::retry`] does.
    ///
    /// A command without events is not written; see [`Execute::command_id`] for what is then kept.
    pub fn execute<A: Decider, C: CommandOf<A>>(
        &self,
        id: &impl Identifies<A>,
        command: C,
    ) -> Execute<A, C> {
        Execute::new(self.clone(), id.id(), rule_of(id), Ready(command))
    }

    /// Sends a command that is prepared first, by an async look-up: see [`Prepare`].
    ///
    /// After the load the command is prepared on the state and decided; after a conflict all of that
    /// once more. Nothing is looked up for a repetition that the receipt of its
    /// [`command_id`](Execute::command_id) answers, or at another version than the expected one. A
    /// look-up that fails is [`ExecuteError::Unprepared`], and nothing is retried.
    ///
    /// [`within`](Execute::within) a transaction, that stays open while something is looked up.
    pub fn execute_with<A: Decider, P: Prepare<A>>(
        &self,
        id: &impl Identifies<A>,
        preparation: P,
    ) -> Execute<A, P::Command, Own, Prepared<P>> {
        Execute::new(self.clone(), id.id(), rule_of(id), Prepared(preparation))
    }

    /// The aggregate named by hand: for a second one over the same streams, which has no id type of
    /// its own, and for generic code. Snapshots are left alone: it is the derive on an id's aggregate
    /// that asks for them.
    pub fn of<A: Decider>(&self) -> Of<A> {
        Of { app: self.clone(), aggregate: PhantomData }
    }
}

/// An app, for one kind of aggregate. See [`App::of`].
#[derive(Debug)]
pub struct Of<A> {
    app: App,
    aggregate: PhantomData<fn() -> A>,
}

impl<A: Decider> Of<A> {
    /// As [`App::execute`].
    pub fn execute<C: CommandOf<A>>(&self, id: &IdOf<A>, command: C) -> Execute<A, C> {
        Execute::new(self.app.clone(), id.clone(), None, Ready(command))
    }

    /// As [`App::execute_with`].
    pub fn execute_with<P: Prepare<A>>(
        &self,
        id: &IdOf<A>,
        preparation: P,
    ) -> Execute<A, P::Command, Own, Prepared<P>> {
        Execute::new(self.app.clone(), id.clone(), None, Prepared(preparation))
    }

    /// As [`App::load`].
    ///
    /// # Errors
    ///
    /// As [`App::load`].
    pub async fn load(&self, id: &IdOf<A>) -> Result<Loaded<A>, Error> {
        self.app.load_id(id.clone(), None).await
    }
}

impl<A: Decider, C: CommandOf<A>, S> Execute<A, C, Own, S> {
    fn new(app: App, id: IdOf<A>, rule: Option<&'static SnapshotRule<A>>, sent: S) -> Self {
        let (options, retry) = (Options::default(), Retry::default());
        Self { app, id, rule, sent, options, retry, mode: PhantomData }
    }

    /// Runs the command in a transaction of yours, at any isolation level: its events are there when
    /// the transaction commits, and never were if it does not.
    ///
    /// A conflict goes to you at once, and leaves the transaction usable; nothing is retried. From
    /// the first event to the commit, readers of the settled order wait behind this transaction:
    /// execute late, commit soon.
    pub fn within(self, conn: &mut PgConnection) -> Within<'_, A, C, S> {
        Within::new(self, Via::In(conn))
    }

    /// The same in a transaction of tokio-postgres: a `Transaction`, or a client that has begun one.
    /// Each statement is sent at once, with nothing prepared on the session.
    ///
    /// On a client without a transaction each statement is one of its own, as on a bare connection
    /// of sqlx: the command is then whole, and nothing but it.
    #[cfg(feature = "tokio-postgres")]
    pub fn within_tokio<'c>(
        self,
        client: &'c (impl tokio_postgres::GenericClient + Send + Sync),
    ) -> Within<'c, A, C, S> {
        Within::new(self, Via::Tokio(foldlog_eventstore::TokioClient::new(client)))
    }
}

impl<A: Decider, C: CommandOf<A>, M, S> Execute<A, C, M, S> {
    /// The id under which a repetition of this command is recognised, for ever and in every process:
    /// it changes nothing and answers what the first one answered, even if it would be rejected by
    /// now. A command that was rejected is decided again.
    ///
    /// The id stands for a command on this stream: the same id on another stream is
    /// [`ErrorKind::IdReused`](crate::ErrorKind::IdReused). The reply is kept as JSON; one that
    /// can't be read any more is [`ErrorKind::Decode`](crate::ErrorKind::Decode).
    ///
    /// Unless the [`metadata`](Self::metadata) names another cause, the id is recorded as the
    /// `causation_id` of the events.
    pub fn command_id(mut self, id: Uuid) -> Self
    where
        C::Reply: Serialize + DeserializeOwned,
    {
        self.options.kept = Some(Kept::new(id));
        self
    }

    /// The version the stream must be at; any other is a conflict at once, without a retry.
    pub fn expect_version(mut self, version: u64) -> Self {
        self.options.expect_version = Some(version);
        self
    }

    /// What is recorded beside each event; the aggregate sees it in its [`Context`](crate::Context).
    pub fn metadata(mut self, metadata: Metadata) -> Self {
        self.options.metadata = metadata;
        self
    }

    /// How often the command is decided again after a conflict.
    pub fn retry(self, retry: Retry) -> Execute<A, C, Retried, S> {
        let Self { app, id, rule, sent, options, .. } = self;
        Execute { app, id, rule, sent, options, retry, mode: PhantomData }
    }
}

impl<A: Decider, C: CommandOf<A>, M: 'static, S: Sends<A, C>> IntoFuture for Execute<A, C, M, S> {
    type Output = Result<Executed<C::Reply>, ExecuteError<A::Rejection, S::Error>>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let Self { app, id, rule, sent, options, retry, .. } = self;
            run::run(&app, (id, rule), &sent, options, retry, Via::Own).await
        })
    }
}

impl<A: Decider, C: CommandOf<A>, M, S> std::fmt::Debug for Execute<A, C, M, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Execute")
            .field("aggregate", &std::any::type_name::<A>())
            .field("id", &self.id)
            .field("command", &std::any::type_name::<C>())
            .finish_non_exhaustive()
    }
}
