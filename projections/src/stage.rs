//! Stages: the part of a projection that turns one batch into writes. A worker has one per class.

mod batch;
pub(crate) mod rows;

pub(crate) use batch::HandlerStage;
pub(crate) use rows::ViewStage;

use async_trait::async_trait;
use foldlog_core::{Error, RawEvent};
use sqlx::PgConnection;

/// Turns a batch into writes, all within the transaction of the caller.
#[async_trait]
pub(crate) trait Stage: Send {
    async fn apply(&mut self, conn: &mut PgConnection, events: &[RawEvent]) -> Result<(), Failure>;
}

/// Why a batch was not applied.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The database could not do it just now: the same may succeed later.
    Transient(Error),
    /// It would fail again: something in the events, or in the code that takes them in.
    Poison(String),
    /// Another worker has claimed the class.
    Fenced,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        // A server that takes no writes for a while, with a full disk for one, is no event's fault.
        let read_only = foldlog_pg::sqlstate(&error) == Some("25006");
        if error.is_retryable() || read_only {
            return Self::Transient(error);
        }
        // Only the sentence: a cause from serde may quote the payload.
        Self::Poison(error.to_string())
    }
}

/// An error of a handler with its causes, in one line. Of foldlog's own errors only the sentence: a
/// cause from serde may quote the payload.
pub(crate) fn describe(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut last = error;
    while let Some(cause) = last.source().filter(|_| !last.is::<Error>()) {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        last = cause;
    }
    text
}

/// Runs pure code of the user's, and turns a panic into a failure.
pub(crate) fn contained<T>(run: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    // The state it may have left half-changed is thrown away with the failed batch.
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(run))
        .unwrap_or_else(|panic| Err(panicked(&*panic)))
}

pub(crate) fn panicked(panic: &(dyn std::any::Any + Send)) -> Failure {
    let message = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "without a message".to_owned());
    Failure::Poison(format!("the projection panicked: {message}"))
}
