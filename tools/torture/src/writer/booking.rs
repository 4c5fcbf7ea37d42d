//! Bookings: tagged events, of a few hot seats and many cold ones, and what is asked for of them.

use fastrand::Rng;
use foldlog_core::{Error, Query, Tag};
use foldlog_eventstore::{Request, StreamEvents};
use uuid::Uuid;

use crate::book::Book;
use crate::domain::{AccountEvent, AccountId};
use crate::draft::{Draft, DraftPart, expected};
use crate::history::{Expect, Item, Tagged};

/// The kinds that have tags. The last is a rare one: it is asked for without a tag.
const KINDS: [&str; 3] = ["Booked", "Released", RARE];
pub(super) const RARE: &str = "Closed";
const HOT: u32 = 3;
const COLD: u32 = 150;
/// A hot tag ends after so many positions, and another comes: what decisions read stays short.
const ERA: u64 = 4_096;

/// What an event is appended as.
#[derive(Clone, Debug)]
pub(super) struct Label {
    pub(super) kind: &'static str,
    pub(super) tags: Vec<String>,
}

/// A draft of tagged events.
pub(super) struct Booking {
    pub(super) draft: Draft,
    /// In the order of the marks.
    labels: Vec<Label>,
}

impl Booking {
    /// A part for each account, with an event for each of its labels.
    pub(super) fn new(book: &Book, rng: &mut Rng, parts: Vec<(AccountId, Vec<Label>)>) -> Self {
        let number = book.number();
        let (mut index, mut all) = (0, Vec::new());
        let parts = parts.into_iter().map(|(account, labels)| {
            let events = labels.iter().map(|_| {
                index += 1;
                (Book::mark(number, index), rng.i64(-500..500))
            });
            let events = events.collect();
            all.extend(labels);
            DraftPart { account, expect: Expect::Any, events }
        });
        let parts = parts.collect();
        let id = (rng.u8(..) < 192).then(Uuid::new_v4);
        let booking = Self { draft: Draft { number, id, parts }, labels: all };
        book.recorder.write().tagged.extend(booking.tagged());
        booking
    }

    fn marks(&self) -> impl Iterator<Item = u64> {
        self.draft.parts.iter().flat_map(|part| &part.events).map(|(mark, _)| *mark)
    }

    fn tagged(&self) -> impl Iterator<Item = Tagged> {
        self.marks().zip(&self.labels).map(|(mark, Label { kind, tags })| {
            let tags = tags.clone();
            Tagged { mark, kind, tags }
        })
    }

    /// The request, without a condition. Made once: its repetitions are the same value.
    pub(super) fn request(&self) -> Request {
        let mut labels = self.labels.iter();
        let parts = self.draft.parts.iter().map(|part| {
            let labeled = part.events.iter().zip(labels.by_ref());
            let events = labeled
                .map(|((mark, cents), l)| AccountEvent::tagged(l.kind, *mark, *cents, &l.tags));
            let events: Vec<_> = events.collect();
            StreamEvents::of::<AccountEvent>(&part.account, expected(part.expect), events)
        });
        match (Request::new(parts), self.draft.id) {
            (Ok(request), Some(id)) => request.id(id),
            (Ok(request), None) => request,
            (Err(error), _) => panic!("a booking is no valid request: {error}"),
        }
    }
}

/// What is hot at the moment.
fn era(book: &Book) -> u64 {
    book.acknowledged() / ERA
}

pub(super) fn seat(book: &Book, rng: &mut Rng) -> String {
    match rng.u8(..) {
        0..160 => format!("seat:hot{}.{}", rng.u32(..HOT), era(book)),
        _ => format!("seat:cold{}", rng.u32(..COLD)),
    }
}

fn hall(book: &Book, rng: &mut Rng) -> String {
    format!("hall:{}.{}", rng.u32(..2), era(book))
}

/// What an event may be appended as.
pub(super) fn label(book: &Book, rng: &mut Rng) -> Label {
    let kind = match rng.u8(..) {
        0..180 => KINDS[0],
        180..246 => KINDS[1],
        _ => RARE,
    };
    let mut tags: Vec<String> = (0..rng.u8(..3)).map(|_| seat(book, rng)).collect();
    if rng.u8(..) < 100 {
        tags.push(hall(book, rng));
    }
    tags.sort();
    tags.dedup();
    Label { kind, tags }
}

/// One to three items; rarely one without a tag.
pub(super) fn items(book: &Book, rng: &mut Rng) -> Vec<Item> {
    if rng.u8(..) < 10 {
        return vec![Item { kinds: vec![RARE], tags: Vec::new() }];
    }
    (0..rng.u8(1..4)).map(|_| item(book, rng)).collect()
}

fn item(book: &Book, rng: &mut Rng) -> Item {
    let mut tags = vec![seat(book, rng)];
    match rng.u8(..) {
        0..40 => tags.push(hall(book, rng)),
        40..60 => tags.insert(0, hall(book, rng)),
        60..80 => tags = vec![hall(book, rng)],
        80..100 => tags.push(seat(book, rng)),
        _ => {}
    }
    if tags.first() == tags.get(1) {
        tags.truncate(1);
    }
    let mut kinds = KINDS.to_vec();
    match rng.u8(..) {
        0..50 => kinds.truncate(2),
        50..100 => kinds = rng.choice(KINDS).into_iter().collect(),
        _ => kinds.clear(),
    }
    Item { kinds, tags }
}

/// The query for these items.
pub(super) fn query(items: &[Item]) -> Result<Query, Error> {
    let mut query: Option<Query> = None;
    for item in items {
        let mut one = match item.kinds.as_slice() {
            [] => Query::of::<AccountEvent>(),
            kinds => Query::kinds::<AccountEvent>(kinds.iter().copied()),
        };
        for tag in &item.tags {
            let (name, value) = tag.split_once(':').unwrap_or_default();
            one = one.tagged(&Tag::new(name, value)?);
        }
        query = Some(match query {
            Some(query) => query.or(one),
            None => one,
        });
    }
    Ok(query.unwrap_or_default())
}
