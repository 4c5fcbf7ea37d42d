//! A call's requests brought to the server, and its answers brought back.

use foldlog_core::{Error, ErrorKind, StreamName};
use foldlog_pg::sqlstate;

use super::Waiting;
use super::link::Link;
use crate::append::{UNKNOWN_TYPE, is_missing_segment};
use crate::call::{Answer, Columns, Outcome};
use crate::store::EventStore;

/// More than the server has room for: of memory, or in its table of locks.
const OUT_OF_MEMORY: &str = "53200";

/// A request that could not be made yet, since another holds one of its streams.
pub(super) struct Detour {
    pub(super) stream: StreamName,
    /// The stream is free: its boundary is what another holds, or its id.
    pub(super) is_free: bool,
    pub(super) waiting: Waiting,
}

/// Makes the requests, answers those that came to an end, and gives back those that were busy. A
/// session that failed is taken away.
pub(super) async fn deliver(
    store: &EventStore,
    link: &mut Option<Link>,
    requests: Vec<Waiting>,
    wait_ms: i32,
) -> Vec<Detour> {
    let mut busy = Vec::new();
    let mut appended = false;
    // What is still to be called, the next at the end.
    let mut calls = vec![requests];
    let mut ensured = false;
    while let Some(requests) = calls.pop() {
        let result = match link {
            Some(open) => call(open, &requests, wait_ms).await,
            None => Err(Error::new(ErrorKind::Unavailable, "append: the connection was lost")),
        };
        match result {
            Ok(answers) => appended |= settle(store, requests, &answers, &mut busy),
            Err(error) if is_missing_segment(&error) && !ensured => {
                ensured = true;
                match store.ensure_segments().await {
                    Ok(()) => calls.push(requests),
                    Err(error) => refuse(requests, &error),
                }
            }
            Err(error) => {
                if sqlstate(&error) == Some(UNKNOWN_TYPE) {
                    store.types().forget();
                }
                if link.as_ref().is_some_and(|open| !open.is_open() || leaves(&error)) {
                    *link = None;
                }
                if error.kind() == ErrorKind::Busy {
                    // The server's limit on waits: a call that waits for nobody met a lock on a table.
                    busy.extend(requests.into_iter().filter_map(|waiting| held(waiting, Some(0))));
                } else if requests.len() > 1 && is_of_one(&error) {
                    let mut first = requests;
                    let second = first.split_off(first.len() / 2);
                    calls.extend([second, first]);
                } else {
                    refuse(requests, &error);
                }
            }
        }
    }
    if appended {
        store.appended();
    }
    busy
}

async fn call(link: &mut Link, requests: &[Waiting], wait_ms: i32) -> Result<Vec<Answer>, Error> {
    let mut columns = Columns::default();
    for waiting in requests {
        columns.push(&waiting.request, &waiting.types);
    }
    link.call(&columns.finish(), wait_ms).await
}

/// Answers each request by its rows, which come in the order of the requests.
fn settle(
    store: &EventStore,
    requests: Vec<Waiting>,
    answers: &[Answer],
    busy: &mut Vec<Detour>,
) -> bool {
    let mut appended = false;
    let mut rows = answers.chunk_by(|a, b| a.request == b.request);
    for waiting in requests {
        match store.outcome(&waiting.request, rows.next().unwrap_or_default()) {
            Outcome::Appended(done) => {
                appended = true;
                waiting.answer(Ok(done));
            }
            Outcome::Refused(error) => waiting.answer(Err(error)),
            Outcome::Busy(place) => busy.extend(held(waiting, place)),
        }
    }
    appended
}

fn held(waiting: Waiting, place: Option<usize>) -> Option<Detour> {
    let stream = waiting.request.streams.get(place.unwrap_or_default())?.name.clone();
    Some(Detour { stream, is_free: place.is_none(), waiting })
}

/// The same answer for all.
pub(super) fn refuse(requests: Vec<Waiting>, error: &Error) {
    for waiting in requests {
        waiting.answer(Err(Error::new(error.kind(), error.to_string()).into()));
    }
}

/// Whether it may be the fault of one request, so that the others succeed without it; or of all of
/// them together, so that each half succeeds.
fn is_of_one(error: &Error) -> bool {
    use ErrorKind::{Foreign, Internal, Invalid, Retry, Truncated};
    // Foreign is a condition that was read before the log was set back, Truncated one that was read
    // before what stood behind it was dropped.
    sqlstate(error) == Some(OUT_OF_MEMORY)
        || matches!(error.kind(), Invalid | Internal | Retry | Foreign | Truncated)
}

/// Whether another server, or another session, would do better.
fn leaves(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Setup) && !is_of_one(error)
}
