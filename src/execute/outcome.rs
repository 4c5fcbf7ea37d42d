//! What a command came to.

use std::convert::Infallible;

use foldlog_core::{Error, ErrorKind, Expected, Position, StreamName, Token};
use foldlog_eventstore::{AppendError, Since};

/// A command that was accepted.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Executed<R, T = Token> {
    /// What the aggregate answered.
    pub reply: R,
    /// The version of the stream after the command.
    pub version: u64,
    /// A view read `at_least` this token holds what the command did. In a transaction of yours a
    /// [`Pending`](crate::Pending), which becomes the token after the commit.
    pub token: T,
    /// Whether the command had been accepted before, under its
    /// [`command_id`](crate::Execute::command_id); the rest is then the answer of then.
    pub repeated: bool,
}

impl<R, T> Executed<R, T> {
    pub(super) fn map_token<U>(self, map: impl FnOnce(T) -> U) -> Executed<R, U> {
        let Self { reply, version, token, repeated } = self;
        Executed { reply, version, token: map(token), repeated }
    }
}

/// Why a command did nothing. `L` is the error of a look-up, where one was
/// [prepared](crate::Prepare).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExecuteError<R, L = Infallible> {
    /// The aggregate refused it. Trying again is of no use while the state stays as it is.
    #[error(transparent)]
    Rejected(R),
    /// The look-up before the decision failed, and nothing was decided.
    #[error(transparent)]
    Unprepared(L),
    /// Others appended to the stream meanwhile, more often than was to be retried; or it is not at
    /// the version that was expected.
    #[error("stream {stream} is at version {actual}, expected {expected}{since}")]
    Conflict {
        /// The stream.
        stream: StreamName,
        /// What was expected of it.
        expected: Expected,
        /// The version it is at.
        actual: u64,
        /// What was appended after the version that the decision rested on, and by which commands.
        /// Empty if the stream has not come so far, or if the read for it failed.
        since: Since,
    },
    /// Others appended within the boundary of the decision meanwhile, more often than was to be
    /// retried. See [`App::decide`](crate::App::decide).
    #[error("the decision was overtaken by an event at position {position}{since}")]
    Overtaken {
        /// The position of the first event that the decision did not rest on.
        position: Position,
        /// What was appended within the boundary since it was read, and by which commands. Empty if the
        /// read for it failed.
        since: Since,
    },
    /// A lock was not to be had in time.
    #[error("stream {stream} is locked by another transaction")]
    Busy {
        /// The stream.
        stream: StreamName,
        /// The process of the server that holds it, if known.
        pid: Option<i32>,
    },
    /// A lock of the boundary of a decision was not to be had in time.
    #[error("the boundary of the decision is locked by another transaction")]
    BoundaryBusy {
        /// The process of the server that holds it, if known.
        pid: Option<i32>,
    },
    /// Everything else, with its [`kind`](Error::kind).
    #[error(transparent)]
    Store(#[from] Error),
}

impl<R, L> From<AppendError> for ExecuteError<R, L> {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Conflict { stream, expected, actual } => {
                Self::Conflict { stream, expected, actual, since: Since::default() }
            }
            AppendError::ConditionFailed { position } => {
                Self::Overtaken { position, since: Since::default() }
            }
            AppendError::Busy { stream, pid } => Self::Busy { stream, pid },
            AppendError::BoundaryBusy { pid } => Self::BoundaryBusy { pid },
            AppendError::Store(error) => Self::Store(error),
            // The enum may grow: nothing of a new case is lost, except that it has no variant here.
            other => Self::Store(
                Error::new(ErrorKind::Internal, "the append failed in an unknown way")
                    .with_source(other),
            ),
        }
    }
}
