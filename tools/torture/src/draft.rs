//! A draft: one logical append, which may have to be made more than once.

use foldlog_core::{Error, ErrorKind, Expected};
use foldlog_eventstore::{AppendError, Appended, Request, StreamEvents};
use uuid::Uuid;

use crate::book::Book;
use crate::domain::{AccountEvent, AccountId};
use crate::history::{Append, Expect, Moment, Outcome, Part};
use crate::marker::marked_by;

pub struct Draft {
    pub number: u64,
    /// Under an id of the caller's, or of its own.
    pub id: Option<Uuid>,
    pub parts: Vec<DraftPart>,
}

pub struct DraftPart {
    pub account: AccountId,
    pub expect: Expect,
    /// Marks and cents.
    pub events: Vec<(u64, i64)>,
}

impl Draft {
    /// The request. Made once: its repetitions are the same value.
    ///
    /// # Panics
    ///
    /// If what the writers draw up is no valid request.
    #[must_use]
    pub fn request(&self) -> Request {
        let parts = self.parts.iter().map(|part| {
            let events = part.events.iter().map(|(mark, cents)| AccountEvent::moved(*mark, *cents));
            let events: Vec<_> = events.collect();
            StreamEvents::of::<AccountEvent>(&part.account, expected(part.expect), events)
        });
        match Request::new(parts) {
            Ok(request) => match self.id {
                Some(id) => request.id(id),
                None => request,
            },
            Err(error) => panic!("a writer drew up no valid request: {error}"),
        }
    }

    /// The record of one call.
    #[must_use]
    pub fn record(&self, book: &Book, begun: Moment, seen: u64, outcome: Outcome) -> Append {
        let parts = self.parts.iter().map(|part| Part {
            stream: book.account(&part.account),
            expected: part.expect,
            marks: part.events.iter().map(|(mark, _)| *mark).collect(),
        });
        Append {
            request: self.number,
            transaction: None,
            begun,
            ended: book.recorder.now(),
            seen,
            parts: parts.collect(),
            outcome,
            undone: false,
        }
    }
}

pub(crate) fn expected(expect: Expect) -> Expected {
    match expect {
        Expect::Any => Expected::Any,
        Expect::Exists => Expected::Exists,
        Expect::NoStream => Expected::NoStream,
        Expect::Exact(version) => Expected::Exact(version),
    }
}

/// What an answer means for the record. Errors that no fault of ours explains are surprises.
///
/// It takes `EventStore::append` at its word: whatever it does not call unknown was not made, and the
/// checker looks for it. In a transaction of the user's it is the transaction that decides.
pub fn outcome(book: &Book, result: &Result<Appended, AppendError>) -> Outcome {
    match result {
        Ok(appended) => Outcome::Done {
            repeated: appended.repeated,
            versions: appended.streams.iter().map(|stream| stream.version).collect(),
            positions: appended
                .streams
                .iter()
                .map(|stream| stream.position.map_or(0, foldlog_core::Position::get))
                .collect(),
        },
        Err(AppendError::Conflict { stream, actual, .. }) => {
            Outcome::Conflict { stream: book.stream(stream.as_str()), actual: *actual }
        }
        Err(AppendError::ConditionFailed { position }) => {
            Outcome::Overtaken { position: position.get() }
        }
        Err(AppendError::Busy { .. } | AppendError::BoundaryBusy { .. }) => Outcome::Failed,
        Err(AppendError::Store(error)) => match error.kind() {
            // A cancelled statement, too: the cancel may come when the commit is through.
            ErrorKind::Unavailable => Outcome::Unknown,
            // A condition from before a crash may be on positions that were taken back: foreign.
            ErrorKind::Retry | ErrorKind::Busy | ErrorKind::Foreign => Outcome::Failed,
            _ if is_at_another_level(error) => Outcome::Failed,
            kind @ (ErrorKind::Archived | ErrorKind::Tombstoned) => {
                Outcome::Closed { by: marked_by(error), forever: kind == ErrorKind::Tombstoned }
            }
            kind => {
                book.surprise(format!("an append failed: {error:?}"));
                // The one other kind that vouches for nothing.
                if kind == ErrorKind::Internal { Outcome::Unknown } else { Outcome::Failed }
            }
        },
        Err(error) => {
            book.surprise(format!("an append failed: {error:?}"));
            Outcome::Unknown
        }
    }
}

/// What decisions rest on is neither read nor judged where a fault has set another isolation level.
#[must_use]
pub fn is_at_another_level(error: &Error) -> bool {
    foldlog_pg::sqlstate(error) == Some("FL001")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::recorder::Recorder;

    #[test]
    fn an_error_is_recorded_as_what_append_says_of_it() {
        use ErrorKind as K;
        for (kind, expected, surprises) in [
            (K::Unavailable, Outcome::Unknown, 0),
            (K::Retry, Outcome::Failed, 0),
            (K::Busy, Outcome::Failed, 0),
            (K::Setup, Outcome::Failed, 1),
            (K::Stopped, Outcome::Failed, 1),
            (K::Invalid, Outcome::Failed, 1),
            (K::IdReused, Outcome::Failed, 1),
            (K::Internal, Outcome::Unknown, 1),
        ] {
            let book = Book::new(Arc::new(Recorder::new()));
            let result = Err(AppendError::Store(Error::new(kind, "no")));
            assert_eq!(outcome(&book, &result), expected, "{kind:?}");
            assert_eq!(book.surprises().len(), surprises, "{kind:?}");
        }
    }
}
