//! Which requests may share a call.

use std::collections::{HashMap, HashSet, VecDeque};

use foldlog_core::{Expected, StreamName};
use uuid::Uuid;

use super::Waiting;
use crate::request::Request;

/// The most requests of one call, the most events, and about the most bytes.
const REQUESTS_MAX: usize = 500;
const EVENTS_MAX: usize = 1_000;
const BYTES_MAX: usize = 4 << 20;

/// What is in a call so far.
#[derive(Default)]
pub(super) struct Admission {
    streams: HashMap<StreamName, Touch>,
    ids: HashSet<Uuid>,
    requests: usize,
    events: usize,
    bytes: usize,
}

/// What a call does with a stream.
#[derive(PartialEq)]
enum Touch {
    /// Appends at whatever version: others may do so, too.
    Any,
    /// Depends on its version, or is to come after one that does.
    Closed,
}

impl Admission {
    /// Whether a request may join. One that depends on a neighbour (a stream of which either expects
    /// a version, or the same id) may not, nor may any that would pass it by.
    pub(super) fn admit(&mut self, request: &Request) -> bool {
        let fits = self.fits(request);
        let admitted = fits && !self.depends(request);
        for part in &*request.streams {
            let touch = match part.expected {
                Expected::Any if admitted => Touch::Any,
                _ => Touch::Closed,
            };
            self.streams.insert(part.name.clone(), touch);
        }
        self.ids.extend(request.id);
        if admitted {
            self.requests += 1;
            self.events += events(request);
            self.bytes += request.size();
        }
        admitted
    }

    fn fits(&self, request: &Request) -> bool {
        self.requests == 0
            || self.requests < REQUESTS_MAX
                && self.events + events(request) <= EVENTS_MAX
                && self.bytes + request.size() <= BYTES_MAX
    }

    fn depends(&self, request: &Request) -> bool {
        request.id.is_some_and(|id| self.ids.contains(&id))
            || request.streams.iter().any(|part| {
                self.streams
                    .get(&part.name)
                    .is_some_and(|touch| *touch == Touch::Closed || part.expected != Expected::Any)
            })
    }
}

fn events(request: &Request) -> usize {
    request.streams.iter().map(|part| part.events.len()).sum()
}

/// Takes the requests of the next call out of a queue. What stays keeps its order.
pub(super) fn next_call(queue: &mut VecDeque<Waiting>) -> Vec<Waiting> {
    let mut admission = Admission::default();
    let mut call = Vec::new();
    let mut later = VecDeque::new();
    for waiting in queue.drain(..) {
        if waiting.answer.is_closed() {
            // Its caller is gone, and it is in no call.
        } else if admission.admit(&waiting.request) {
            call.push(waiting);
        } else {
            later.push_back(waiting);
        }
    }
    *queue = later;
    call
}
