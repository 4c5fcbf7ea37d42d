//! Marks, repeated while nobody knows whether they were made.

use std::time::Duration;

use foldlog_core::ErrorKind;
use foldlog_eventstore::{AppendError, Marking as Call};
use tokio::time::{Instant, sleep, timeout};

use super::{INSISTENCE, Marker, PATIENCE, reason};
use crate::book::{Book, stream_name};
use crate::domain::AccountId;
use crate::history::{Act, Answer, Marking};

impl Marker {
    /// Marks, and marks again while the answer is unknown; seldom it gives up at once.
    pub(super) async fn insist(&mut self, account: &AccountId, act: Act) {
        let (start, number) = (Instant::now(), self.book.number());
        // Who closes for others goes on, or they would find it closed for long.
        let patient = act == Act::Unarchive;
        loop {
            let begun = self.book.recorder.now();
            let result = timeout(PATIENCE, self.call(account, act, number)).await;
            let answer = result.map_or(Answer::Unknown, |result| answer(&self.book, &result));
            let (stream, ended) = (self.book.account(account), self.book.recorder.now());
            let marking = Marking { number, stream, act, begun, ended, answer };
            self.book.recorder.write().markings.push(marking);
            let unknown = answer == Answer::Unknown;
            let again = unknown || patient && answer == Answer::Refused && !self.is_own(account);
            let tired = !patient && self.rng.u8(..) < 24;
            if !again || tired || start.elapsed() > INSISTENCE {
                return;
            }
            sleep(Duration::from_millis(self.rng.u64(1..200))).await;
        }
    }

    fn call(&self, account: &AccountId, act: Act, number: u64) -> Call {
        let (name, reason) = (stream_name(account), reason(number));
        match act {
            Act::Archive => self.store.archive(&name, &reason),
            Act::Unarchive => self.store.unarchive(&name, &reason),
            Act::Tombstone => self.store.tombstone(&name, &reason),
            Act::Truncate { before, summary: false } => {
                self.store.truncate_before(&name, before, &reason)
            }
            Act::Truncate { before, summary: true } => {
                self.store.truncate_to_summary(&name, before, &reason)
            }
        }
    }

    /// Whether it is one of the markers': those may be tombstoned, or not be there.
    fn is_own(&self, account: &AccountId) -> bool {
        account.0.starts_with('m')
    }
}

fn answer(book: &Book, result: &Result<bool, AppendError>) -> Answer {
    match result {
        Ok(true) => Answer::Made,
        Ok(false) => Answer::AsBefore,
        Err(AppendError::Conflict { .. } | AppendError::Busy { .. }) => Answer::Refused,
        Err(AppendError::Store(error)) => match error.kind() {
            ErrorKind::Unavailable => Answer::Unknown,
            // No such stream, or no such version.
            ErrorKind::Retry | ErrorKind::Busy | ErrorKind::Tombstoned | ErrorKind::Invalid => {
                Answer::Refused
            }
            _ => {
                book.surprise(format!("a mark failed: {error:?}"));
                Answer::Unknown
            }
        },
        Err(error) => {
            book.surprise(format!("a mark failed: {error:?}"));
            Answer::Unknown
        }
    }
}
