//! Streams that another transaction holds, as far as the second lane knows.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use foldlog_core::StreamName;

use crate::request::Request;

/// While a stream waits in the second lane, later requests for it go straight there.
#[derive(Debug, Default)]
pub(super) struct Held {
    // How many, so that the usual answer takes no lock.
    count: AtomicUsize,
    streams: Mutex<HashSet<StreamName>>,
}

impl Held {
    /// The first stream of a request that is known to be held.
    pub(super) fn stream_of(&self, request: &Request) -> Option<StreamName> {
        if self.count.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        let mut names = request.streams.iter().map(|part| &part.name);
        names.find(|name| streams.contains(*name)).cloned()
    }

    pub(super) fn insert(&self, stream: &StreamName) {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        streams.insert(stream.clone());
        self.count.store(streams.len(), Ordering::Relaxed);
    }

    pub(super) fn remove(&self, stream: &StreamName) {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        streams.remove(stream);
        self.count.store(streams.len(), Ordering::Relaxed);
    }
}
