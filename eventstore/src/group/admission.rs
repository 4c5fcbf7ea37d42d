//! Which requests may share a call.

use std::collections::{HashMap, HashSet, VecDeque};

use foldlog_core::{Expected, StreamName, Tag};
use uuid::Uuid;

use super::Waiting;
use crate::boundary::Condition;
use crate::request::Request;

/// The most requests of one call, the most events, and about the most bytes.
const REQUESTS_MAX: usize = 500;
const EVENTS_MAX: usize = 1_000;
const BYTES_MAX: usize = 4 << 20;
/// The most tags: the server locks each for itself, up to 256 with the one of all events, and then all
/// of them at once.
const TAGS_MAX: usize = 250;

/// What is in a call so far.
#[derive(Default)]
pub(super) struct Admission {
    streams: HashMap<StreamName, Touch>,
    ids: HashSet<Uuid>,
    tags: Tags,
    requests: usize,
    events: usize,
    bytes: usize,
}

/// What a call does with tags. Of whatever tenant: at worst a request waits for one it need not.
#[derive(Default)]
struct Tags {
    written: HashSet<Tag>,
    /// Those that conditions lock.
    watched: HashSet<Tag>,
    writes: bool,
    watches_all: bool,
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
    /// a version, the same id, a condition on what the other writes) may not, nor may any that would
    /// pass it by.
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
        self.tags.add(request);
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
                && self.tags.count() + Tags::of(request) <= TAGS_MAX
    }

    fn depends(&self, request: &Request) -> bool {
        request.id.is_some_and(|id| self.ids.contains(&id))
            || self.tags.depends(request)
            || request.streams.iter().any(|part| {
                self.streams
                    .get(&part.name)
                    .is_some_and(|touch| *touch == Touch::Closed || part.expected != Expected::Any)
            })
    }
}

impl Tags {
    fn add(&mut self, request: &Request) {
        self.writes |= events(request) > 0;
        self.written.extend(tags(request).cloned());
        for lock in request.condition.iter().flat_map(Condition::locks) {
            match lock {
                Some(tag) => drop(self.watched.insert(tag.clone())),
                None => self.watches_all = true,
            }
        }
    }

    fn depends(&self, request: &Request) -> bool {
        self.watches_all && events(request) > 0
            || tags(request).any(|tag| self.watched.contains(tag))
            || request.condition.iter().flat_map(Condition::locks).any(|lock| match lock {
                Some(tag) => self.written.contains(tag),
                None => self.writes,
            })
    }

    /// About how many a request adds.
    fn of(request: &Request) -> usize {
        let locks = request.condition.iter().flat_map(Condition::locks);
        tags(request).count() + locks.count()
    }

    fn count(&self) -> usize {
        self.written.len() + self.watched.len()
    }
}

fn tags(request: &Request) -> impl Iterator<Item = &Tag> {
    request.streams.iter().flat_map(|part| &part.events).flat_map(|event| &event.tags)
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use std::sync::Arc;
    use std::time::Instant;

    use fastrand::Rng;
    use foldlog_core::{Encoded, Tenant};
    use serde_json::value::RawValue;
    use tokio::sync::{Semaphore, oneshot};

    use super::*;
    use crate::request::StreamEvents;

    /// Streams by number, with so many events of so many bytes each.
    fn request(parts: &[(u32, Expected)], events: usize, bytes: usize) -> Request {
        tagged(parts, events, bytes, &[])
    }

    /// The same with tags by number on each event.
    fn tagged(parts: &[(u32, Expected)], events: usize, bytes: usize, tags: &[u32]) -> Request {
        let tags: Vec<_> = tags.iter().map(|n| Tag::new("tag", &n.to_string()).unwrap()).collect();
        let text = format!("\"{}\"", "x".repeat(bytes));
        let event = || Encoded {
            kind: "Noted",
            payload: RawValue::from_string(text.clone()).unwrap(),
            tags: tags.clone(),
        };
        let part = |(stream, expected): &(u32, Expected)| {
            let name = StreamName::parse(&Tenant::default(), &format!("note-{stream}")).unwrap();
            StreamEvents::raw(name, *expected, (0..events).map(|_| event()).collect())
        };
        Request::new(parts.iter().map(part)).unwrap()
    }

    fn admitted(requests: &[Request]) -> Vec<bool> {
        let mut admission = Admission::default();
        requests.iter().map(|request| admission.admit(request)).collect()
    }

    #[test]
    fn requests_that_depend_on_one_another_share_no_call() {
        use Expected::{Any, Exact, Exists, NoStream};
        let one = |stream, expected| request(&[(stream, expected)], 1, 0);
        let cases = [
            (vec![one(1, Any), one(1, Any), one(1, Any)], vec![true, true, true]),
            (vec![one(1, Exact(1)), one(1, Any)], vec![true, false]),
            (vec![one(1, Any), one(1, NoStream)], vec![true, false]),
            (vec![one(1, Any), one(1, Exists), one(1, Any)], vec![true, false, false]),
            (vec![one(1, NoStream), one(2, NoStream)], vec![true, true]),
            // What one that has to stay names is passed by nobody.
            (
                vec![
                    one(1, Exact(1)),
                    request(&[(1, Any), (2, Any)], 1, 0),
                    one(2, Any),
                    one(3, Any),
                ],
                vec![true, false, false, true],
            ),
        ];
        for (requests, expected) in cases {
            assert_eq!(admitted(&requests), expected, "{requests:?}");
        }
        let id = Uuid::from_u128(1);
        let same = [one(1, Any).id(id), one(2, Any).id(id), one(2, Any)];
        assert_eq!(admitted(&same), [true, false, false]);
    }

    #[test]
    fn a_call_has_its_limits_and_takes_one_request_of_any_size() {
        let any = |stream, events, bytes| request(&[(stream, Expected::Any)], events, bytes);
        let many: Vec<_> = (0..600).map(|n| any(n, 0, 0)).collect();
        assert_eq!(admitted(&many).iter().filter(|admitted| **admitted).count(), REQUESTS_MAX);
        let events = [any(1, 999, 0), any(2, 2, 0), any(2, 1, 0), any(3, 1, 0), any(4, 1, 0)];
        assert_eq!(admitted(&events), [true, false, false, true, false]);
        let large = [any(1, 5, 1_000_000), any(2, 1, 0)];
        assert_eq!(admitted(&large), [true, false]);
        let late = [any(1, 1, 0), any(2, 5, 1_000_000), any(3, 1, 0)];
        assert_eq!(admitted(&late), [true, false, true]);
    }

    /// Whether the first of an item's tags is on an event of the other, or every event matches. More
    /// than what may match, and what the append function refuses to judge in one call.
    fn judges(judge: &Request, other: &Request) -> bool {
        let written: Vec<_> = tags(other).map(Tag::as_str).collect();
        judge.condition.iter().flat_map(Condition::items).any(|item| match item.tags {
            Some(tags) => written.iter().any(|tag| tags.split('\u{1f}').next() == Some(*tag)),
            None => events(other) > 0,
        })
    }

    /// Whether the second must see what the first did, or must not share a call with it.
    fn dependent(a: &Request, b: &Request) -> bool {
        judges(a, b)
            || judges(b, a)
            || a.id.is_some() && a.id == b.id
            || a.streams.iter().any(|a| {
                b.streams.iter().any(|b| {
                    a.name == b.name && (a.expected, b.expected) != (Expected::Any, Expected::Any)
                })
            })
    }

    fn drawn(rng: &mut Rng) -> Request {
        let mut streams: Vec<u32> = (0..6).collect();
        rng.shuffle(&mut streams);
        let parts: Vec<_> = streams[..rng.usize(1..4)]
            .iter()
            .map(|stream| {
                let expected = match rng.u32(..8) {
                    0 => Expected::Exists,
                    1 => Expected::NoStream,
                    2 => Expected::Exact(rng.u64(..3)),
                    _ => Expected::Any,
                };
                (*stream, expected)
            })
            .collect();
        let tags: Vec<_> = (0..8).filter(|_| rng.u32(..8) == 0).collect();
        let mut request = tagged(&parts, rng.choice([0, 1, 3, 200]).unwrap(), 0, &tags);
        if rng.u32(..3) == 0 {
            let items: Vec<Vec<u32>> = (0..rng.usize(1..3))
                .map(|_| (0..8).filter(|_| rng.u32(..4) == 0).collect())
                .collect();
            request = request.condition(Condition::of_tags(&items)).unwrap();
        }
        if rng.bool() { request.id(Uuid::from_u128(rng.u128(..9))) } else { request }
    }

    #[test]
    fn random_requests_keep_their_order_and_none_is_lost() {
        for seed in 0..100 {
            let mut rng = Rng::with_seed(seed);
            let room = Arc::new(Semaphore::new(1_000));
            let mut answers = Vec::new();
            let mut asked = Vec::new();
            let mut queue = VecDeque::new();
            let mut calls: Vec<Vec<Waiting>> = Vec::new();
            while asked.len() < 40 || !queue.is_empty() {
                for _ in 0..rng.usize(..12).min(40 - asked.len()) {
                    let (answer, answered) = oneshot::channel();
                    // The place in the order stands where the types would.
                    let types = vec![i32::try_from(asked.len()).unwrap()];
                    let request = drawn(&mut rng);
                    asked.push(request.clone());
                    // Some callers go away before they are sent.
                    answers.push(Some(answered).filter(|_| rng.u32(..10) > 0));
                    let _room = room.clone().try_acquire_owned().unwrap();
                    let since = Instant::now();
                    queue.push_back(Waiting { request, types, answer, since, busy: 0, _room });
                }
                let first = queue.iter().find(|waiting| !waiting.answer.is_closed());
                let first = first.map(|waiting| waiting.types[0]);
                let call = next_call(&mut queue);
                // Whoever is first is never kept waiting by others.
                assert_eq!(call.first().map(|waiting| waiting.types[0]), first, "seed {seed}");
                calls.push(call);
            }
            let order: Vec<Vec<usize>> = calls
                .iter()
                .map(|call| call.iter().map(|w| usize::try_from(w.types[0]).unwrap()).collect())
                .collect();
            let mut done = vec![None; asked.len()];
            for (call, places) in order.iter().enumerate() {
                assert!(places.is_sorted(), "seed {seed}");
                for place in places {
                    assert!(done[*place].replace(call).is_none(), "seed {seed}: {place} twice");
                }
            }
            for (place, answered) in answers.iter().enumerate() {
                assert_eq!(done[place].is_some(), answered.is_some(), "seed {seed}: {place}");
            }
            for (later, request) in asked.iter().enumerate() {
                for (earlier, other) in asked[..later].iter().enumerate() {
                    let (Some(first), Some(second)) = (done[earlier], done[later]) else {
                        continue;
                    };
                    if dependent(other, request) {
                        assert!(first < second, "seed {seed}: {earlier} and {later}");
                    }
                }
            }
        }
    }
}
