//! Commands in a transaction of the caller's.

use std::future::IntoFuture;

use foldlog_core::{BoxFuture, CommandOf, Decider, Metadata, Retry};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::{Execute, ExecuteError, Executed, Own, Ready, Sends, run};
use crate::loaded::Via;
use crate::pending::Pending;

/// A command that runs in a transaction of yours. Await it.
///
/// Everything happens on that connection, and nothing is retried: after a conflict, an error of the
/// store or a dropped future it is for you to roll back and to begin anew.
#[must_use = "a command runs when it is awaited"]
pub struct Within<'c, A: Decider, C: CommandOf<A>, S = Ready<C>> {
    execute: Execute<A, C, Own, S>,
    via: Via<'c>,
}

impl<'c, A: Decider, C: CommandOf<A>, S> Within<'c, A, C, S> {
    pub(super) fn new(execute: Execute<A, C, Own, S>, via: Via<'c>) -> Self {
        Self { execute, via }
    }

    /// As [`Execute::command_id`]; the receipt commits with your transaction.
    pub fn command_id(mut self, id: Uuid) -> Self
    where
        C::Reply: Serialize + DeserializeOwned,
    {
        self.execute = self.execute.command_id(id);
        self
    }

    /// As [`Execute::expect_version`].
    pub fn expect_version(mut self, version: u64) -> Self {
        self.execute = self.execute.expect_version(version);
        self
    }

    /// As [`Execute::metadata`].
    pub fn metadata(mut self, metadata: Metadata) -> Self {
        self.execute = self.execute.metadata(metadata);
        self
    }
}

impl<'c, A: Decider, C: CommandOf<A>, S: Sends<A, C>> IntoFuture for Within<'c, A, C, S> {
    type Output = Result<Executed<C::Reply, Pending>, ExecuteError<A::Rejection, S::Error>>;
    type IntoFuture = BoxFuture<'c, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let Execute { app, id, rule, sent, options, .. } = self.execute;
            let done = run::run(&app, (id, rule), &sent, options, Retry::never(), self.via).await?;
            Ok(done.map_token(|token| Pending::new(app.store().clone(), token)))
        })
    }
}

impl<A: Decider, C: CommandOf<A>, S> std::fmt::Debug for Within<'_, A, C, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Within").field("execute", &self.execute).finish_non_exhaustive()
    }
}
