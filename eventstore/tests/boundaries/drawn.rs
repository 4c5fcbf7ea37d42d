//! Random calls of the append function, as the model of it is asked for them, too.

use uuid::Uuid;

use super::model::{Asked, BEYOND, Event, Item, Model, Part, STREAMS, TENANTS, name, refusal};

/// Those that conditions are on, and so many more that an event may carry beside.
const TAGS: [&str; 5] = ["seat:0", "seat:1", "seat:2", "hall:x", "hall:y"];
const MANY: usize = 400;

/// Every text that the server hashes into a bucket.
pub(super) fn texts() -> Vec<String> {
    let many = (0..MANY).map(|n| format!("many:{n}"));
    TAGS.iter().map(ToString::to_string).chain(many).chain((0..STREAMS).map(name)).collect()
}

/// Draws requests, new ones and repetitions.
pub(super) struct Source {
    pub(super) rng: fastrand::Rng,
    past: Vec<Asked>,
    // Where the log ended before.
    start: i64,
    /// The highest position that was drawn.
    pub(super) last: i64,
}

impl Source {
    pub(super) fn new(seed: u64, last: i64) -> Self {
        Self { rng: fastrand::Rng::with_seed(seed), past: Vec::new(), start: last, last }
    }

    fn one_in(&mut self, n: u32) -> bool {
        self.rng.u32(..n) == 0
    }

    /// One to six requests. Few calls hold such as depend on one another.
    pub(super) fn call(&mut self, model: &Model) -> Vec<Asked> {
        // Some are of many tags, or of about as many as are locked one by one.
        let (many, requests) = match self.rng.u32(..16) {
            0 => (60, self.rng.usize(1..=6)),
            1 => (self.rng.usize(250..=272), 1),
            _ => (0, self.rng.usize(1..=6)),
        };
        let mut call = Vec::new();
        for _ in 0..requests {
            let again = if self.one_in(3) { self.again() } else { None };
            let asked = again.unwrap_or_else(|| self.fresh(model, many));
            call.push(asked);
            let dependent = refusal(&call) == Some("FL006") || meet(&call);
            if dependent && !self.one_in(12) {
                call.pop();
            }
        }
        if call.is_empty() {
            call.push(self.fresh(model, many));
        }
        self.past.extend(call.iter().cloned());
        call
    }

    fn fresh(&mut self, model: &Model, many: usize) -> Asked {
        let tenant = self.rng.usize(..TENANTS);
        let mut streams: Vec<_> = (0..STREAMS).collect();
        self.rng.shuffle(&mut streams);
        streams.truncate([1, 1, 1, 2, 3][self.rng.usize(..5)]);
        if self.one_in(60) {
            streams.push(streams[0]);
        }
        let parts = streams.into_iter().map(|stream| self.part(model, (tenant, stream), many));
        let parts = parts.collect();
        let mut items = Vec::new();
        if self.rng.bool() {
            let count = self.rng.usize(1..=3);
            items.extend((0..count).map(|_| self.item(model, tenant)));
        }
        let asked = Asked { tenant, id: None, hash: 1, parts, items };
        if asked.stands_alone() && self.rng.bool() {
            return asked;
        }
        Asked { id: Some(Uuid::from_u128(self.rng.u128(..))), ..asked }
    }

    fn part(&mut self, model: &Model, key: (usize, usize), many: usize) -> Part {
        let version = model.streams[&key].version();
        let expected = match self.rng.u32(..10) {
            0..5 => -2,
            5 => -1,
            6 => 0,
            7 => version + 1,
            _ => version,
        };
        let count = self.rng.usize(..4);
        let events = (0..count).map(|_| self.event(many)).collect();
        Part { stream: key.1, expected, events }
    }

    fn event(&mut self, many: usize) -> Event {
        let mut tags: Vec<_> = (0..self.rng.usize(..4)).map(|_| self.tag()).collect();
        // At the brim all events carry the same: what they hash into is counted once.
        let start = if many == 60 { self.rng.usize(..MANY - many) } else { 0 };
        tags.extend((start..start + many).map(|n| format!("many:{n}")));
        let kind = if self.one_in(4) { "Closed" } else { "Noted" };
        Event { id: Uuid::from_u128(self.rng.u128(..)), kind, tags }
    }

    fn tag(&mut self) -> String {
        TAGS[self.rng.usize(..TAGS.len())].to_owned()
    }

    /// One tag, several, tags and types, or no tag; read some time ago, with what was seen beyond.
    fn item(&mut self, model: &Model, tenant: usize) -> Item {
        let types = match self.rng.u32(..8) {
            0 => Some(vec!["note-Closed"]),
            1 => Some(vec!["note", "other"]),
            2 => Some(vec!["note-Noted", "note-Closed"]),
            3 if self.one_in(3) => Some(vec!["other-Noted"]),
            _ => None,
        };
        let tags = self.rng.usize(1..=3).min(2);
        let tags =
            if self.one_in(6) { None } else { Some((0..tags).map(|_| self.tag()).collect()) };
        let after = match self.rng.u32(..60) {
            0 => BEYOND,
            1..20 => self.last,
            _ => self.rng.i64(self.start..=self.last),
        };
        let mut item = Item { types, tags, after, seen: Vec::new() };
        let mut seen = model.matching(tenant, &item);
        if after < BEYOND && !self.one_in(4) {
            self.rng.shuffle(&mut seen);
            // One that was not seen, and others that don't match.
            if self.one_in(3) {
                seen.pop();
                seen.push(self.rng.i64(self.start..=self.last));
            }
            item.seen = seen;
        }
        item
    }

    /// A request that was made before, or nearly.
    fn again(&mut self) -> Option<Asked> {
        let mut asked = self.rng.choice(&self.past)?.clone();
        match self.rng.u32(..8) {
            0 => asked.hash += 1,
            // Of other streams than the first time: what it stands for may leave them open.
            1 if asked.parts.len() > 1 => drop(asked.parts.pop()),
            2 => asked.parts.reverse(),
            3 => asked.parts[0].expected = self.rng.i64(0..6),
            4 => asked.tenant ^= 1,
            5 => asked.items.clear(),
            _ => {}
        }
        (asked.id.is_some() || asked.stands_alone()).then_some(asked)
    }
}

/// Whether two of a call share a stream and not both leave its version open, or one names it twice.
fn meet(call: &[Asked]) -> bool {
    let of = |(n, asked): (usize, &Asked)| {
        let key = |part: &Part| (n, (asked.tenant, part.stream), part.expected);
        asked.parts.iter().map(key).collect::<Vec<_>>()
    };
    let parts: Vec<_> = call.iter().enumerate().flat_map(of).collect();
    parts.iter().enumerate().any(|(place, a)| {
        parts[..place].iter().any(|b| a.1 == b.1 && (a.0 == b.0 || a.2.max(b.2) > -2))
    })
}
