//! The recorder: one clock, and the history that every task of a schedule writes to.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::history::{Fault, History, Moment};

#[derive(Debug)]
pub struct Recorder {
    start: Instant,
    history: Mutex<History>,
}

impl Recorder {
    #[must_use]
    pub fn new() -> Self {
        Self { start: Instant::now(), history: Mutex::default() }
    }

    /// Nanoseconds since the run began.
    #[must_use]
    pub fn now(&self) -> Moment {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// The history, for a moment: never across an await.
    pub fn write(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a fault that began at `begun` and ends now.
    pub fn fault(&self, kind: &'static str, begun: Moment, detail: impl Into<String>) {
        let fault = Fault { kind, begun, ended: self.now(), detail: detail.into() };
        self.write().faults.push(fault);
    }

    /// The history so far, and an empty one in its place.
    #[must_use]
    pub fn take(&self) -> History {
        std::mem::take(&mut *self.write())
    }
}

impl Default for Recorder {
    fn default() -> Self {
        Self::new()
    }
}
