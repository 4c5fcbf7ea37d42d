//! What the tasks of a schedule share: numbers to give out, and what has been acknowledged.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use foldlog_core::{StreamName, Tenant};
use foldlog_eventstore::Request;

use crate::domain::{AccountEvent, AccountId};
use crate::draft::Draft;
use crate::history::{Append, Outcome, Transaction};
use crate::recorder::Recorder;

/// How many events one request may have.
const MARKS: u64 = 1 << 8;
/// How many appends are kept to be repeated.
const KEPT_MAX: usize = 40;

pub struct Book {
    pub recorder: Arc<Recorder>,
    requests: AtomicU64,
    acknowledged: AtomicU64,
    streams: Mutex<HashMap<String, u32>>,
    surprises: Mutex<Vec<String>>,
    kept: Mutex<Vec<(Draft, Request)>>,
}

impl Book {
    #[must_use]
    pub fn new(recorder: Arc<Recorder>) -> Self {
        Self {
            recorder,
            requests: AtomicU64::new(1),
            acknowledged: AtomicU64::new(0),
            streams: Mutex::default(),
            surprises: Mutex::default(),
            kept: Mutex::default(),
        }
    }

    /// A number for a logical append or a transaction.
    pub fn number(&self) -> u64 {
        self.requests.fetch_add(1, Ordering::Relaxed)
    }

    /// The mark of an event of a request.
    #[must_use]
    pub fn mark(request: u64, index: u64) -> u64 {
        request * MARKS + index % MARKS
    }

    /// The number of a stream, which it gets when it is first spoken of.
    pub fn stream(&self, name: &str) -> u32 {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = streams.get(name) {
            return *number;
        }
        let number = u32::try_from(streams.len()).unwrap_or(u32::MAX);
        streams.insert(name.to_owned(), number);
        self.recorder.write().streams.push(name.to_owned());
        number
    }

    pub fn account(&self, id: &AccountId) -> u32 {
        self.stream(stream_name(id).as_str())
    }

    /// The highest position that was acknowledged to anybody.
    #[must_use]
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::SeqCst)
    }

    pub fn acknowledge(&self, position: u64) {
        self.acknowledged.fetch_max(position, Ordering::SeqCst);
    }

    pub fn append(&self, append: Append) {
        if let (Outcome::Done { positions, .. }, None) = (&append.outcome, append.transaction) {
            positions.iter().for_each(|position| self.acknowledge(*position));
        }
        self.recorder.write().appends.push(append);
    }

    pub fn transaction(&self, transaction: Transaction) {
        self.recorder.write().transactions.push(transaction);
    }

    /// Keeps an acknowledged append, to be repeated long after.
    pub fn keep(&self, draft: Draft, request: Request) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT_MAX {
            kept.push((draft, request));
        }
    }

    /// What was kept, and nothing in its place.
    #[must_use]
    pub fn kept(&self) -> Vec<(Draft, Request)> {
        std::mem::take(&mut *self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// An error that no fault explains: the run ends with a finding.
    pub fn surprise(&self, what: impl Into<String>) {
        self.surprises.lock().unwrap_or_else(PoisonError::into_inner).push(what.into());
    }

    pub fn surprises(&self) -> Vec<String> {
        self.surprises.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The stream of an account.
#[must_use]
pub fn stream_name(id: &AccountId) -> StreamName {
    let name = StreamName::of::<AccountEvent>(&Tenant::default(), id);
    name.unwrap_or_else(|error| unreachable!("an account's id is a fine key: {error}"))
}
