//! The one error type of foldlog: a kind that says how to react, and a sentence that says why.

mod json_fault;

use std::error::Error as StdError;
use std::fmt;

use self::json_fault::JsonFault;

/// What went wrong, in a sentence that names the thing and the remedy.
///
/// Neither the sentence nor what is printed of its causes holds a payload or a password. Branch on [`kind`](Self::kind): each kind asks
/// for a different reaction. The cause, where there is one, is in [`source`](StdError::source).
pub struct Error {
    // One pointer, so that `Result<T, Error>` stays small on the hot paths.
    inner: Box<Inner>,
}

struct Inner {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// How to react to an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The call can't succeed as it was made (a bad name, a payload over a limit, an aggregate that
    /// was not registered): change the call.
    Invalid,
    /// The id of the append was used before, for other content: use a new id.
    IdReused,
    /// A stored event can't be read by this program: deploy one that knows its type.
    Decode,
    /// The stream was archived: unarchive it to append to it.
    Archived,
    /// The stream was tombstoned: it is closed for ever.
    Tombstoned,
    /// Events are asked for that were cut off or dropped: begin behind the cut.
    Truncated,
    /// Whether an append is a repeat can't be told any more, for the events that would tell were dropped:
    /// look at what the stream holds. A request with an id is told apart for ever.
    Expired,
    /// A lock was not to be had in time: try later, or look for the transaction that holds it.
    Busy,
    /// The transaction was aborted for a reason that is gone when it is run again: a serialization
    /// failure or a deadlock; segments that were used up, or event types that were lost in a failover,
    /// which have been made by then.
    Retry,
    /// The server did not answer, or went away. A write may or may not have happened; repeating it
    /// with the same id is safe.
    Unavailable,
    /// The server, its schema or the settings are not as foldlog needs them: an operator must act.
    Setup,
    /// A token or checkpoint belongs to another store, or to an earlier life of this one.
    Foreign,
    /// The program is shutting down.
    Stopped,
    /// The store contradicts itself, or foldlog has a bug: keep the evidence and report it.
    Internal,
}

impl Error {
    /// An error of a kind, with its sentence: lower case at the start, no full stop at the end.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { inner: Box::new(Inner { kind, message: message.into(), source: None }) }
    }

    /// The same error with its cause. Of a cause of serde_json's nothing is kept that quotes the JSON.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        let source = source.into();
        self.inner.source = Some(match source.downcast_ref() {
            Some(json) => Box::new(JsonFault::of(json)),
            None => source,
        });
        self
    }

    /// How to react.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
    }

    /// Whether the same call may succeed when it is simply made again, later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self.inner.kind, ErrorKind::Busy | ErrorKind::Retry | ErrorKind::Unavailable)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.inner.message)
    }
}

/// The sentence, the kind and the sentences of the causes: what a `main` that fails with it prints.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({:?})", self.inner.message, self.inner.kind)?;
        let mut cause = self.source();
        while let Some(error) = cause {
            write!(f, "; caused by: {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.inner.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_main_prints_is_the_sentence_the_kind_and_the_causes() {
        let socket = std::io::Error::other("the socket is gone");
        let lost =
            Error::new(ErrorKind::Unavailable, "the connection was lost").with_source(socket);
        let error = Error::new(ErrorKind::Setup, "no server: start one").with_source(lost);
        assert_eq!(
            format!("{error:?}"),
            "no server: start one (Setup); caused by: the connection was lost; caused by: the socket \
             is gone"
        );
        assert_eq!(error.to_string(), "no server: start one");
    }
}
