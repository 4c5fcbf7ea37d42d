//! A model of the append function with tags and conditions: what it answers to a call, while another
//! transaction holds some of what the call needs, and what it leaves behind.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

pub(super) const TENANTS: usize = 2;
pub(super) const STREAMS: usize = 4;
/// The most locks of tags that a call takes one by one.
const KEYS_MAX: usize = 256;
/// The bucket of all events.
const ALL: i64 = 4096;

/// A request, as the function is given it. Both tenants have streams of the same names.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) tenant: usize,
    pub(super) id: Option<Uuid>,
    pub(super) hash: u8,
    pub(super) parts: Vec<Part>,
    pub(super) items: Vec<Item>,
}

#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) stream: usize,
    pub(super) expected: i64,
    pub(super) events: Vec<Event>,
}

#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) id: Uuid,
    pub(super) kind: &'static str,
    pub(super) tags: Vec<String>,
}

/// One of a condition's.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) types: Option<Vec<&'static str>>,
    pub(super) tags: Option<Vec<String>>,
    pub(super) after: i64,
    pub(super) seen: Vec<i64>,
}

/// One row of the answer: request, outcome, version, first and last position.
pub(super) type Line = (i32, i16, Option<i64>, Option<i64>, Option<i64>);
/// What a call answers, or the SQLSTATE with which it is refused as a whole.
pub(super) type Answer = Result<Vec<Line>, String>;
type Ends = (Option<i64>, Option<i64>, Option<i64>);
type StreamKey = (usize, usize);

#[derive(Clone, Debug, Default)]
pub(super) struct Stream {
    has_row: bool,
    pub(super) events: Vec<(Event, i64)>,
}

impl Stream {
    pub(super) fn version(&self) -> i64 {
        self.events.len() as i64
    }
}

#[derive(Clone, Debug)]
struct Receipt {
    hash: u8,
    parts: Vec<Ends>,
}

/// What a transaction holds.
#[derive(Clone, Debug, Default)]
pub(super) struct Held {
    rows: BTreeSet<StreamKey>,
    // In which it makes streams.
    buckets: BTreeSet<i64>,
    ids: BTreeSet<(usize, Uuid)>,
    // Of tags, and which of them it holds exclusively.
    keys: BTreeMap<i64, bool>,
}

impl Held {
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.ids.is_empty() && self.keys.is_empty()
    }

    /// Whether it keeps everybody else from appending.
    pub(super) fn holds_all(&self) -> bool {
        self.keys.get(&ALL) == Some(&true)
    }

    /// Whether a call that waits would wait for a row or an id: that ends in an error, not in an answer.
    pub(super) fn stops(&self, call: &[Asked], model: &Model) -> bool {
        call.iter().any(|asked| {
            asked.id.is_some_and(|id| self.ids.contains(&(asked.tenant, id)))
                || asked.parts.iter().any(|part| {
                    self.rows.contains(&(asked.tenant, part.stream))
                        || self.buckets.contains(&model.bucket(asked.tenant, &name(part.stream)))
                })
        })
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    pub(super) streams: BTreeMap<StreamKey, Stream>,
    receipts: BTreeMap<(usize, Uuid), Receipt>,
    /// In which bucket the server locks a tag or a stream.
    pub(super) buckets: BTreeMap<(usize, String), i64>,
}

pub(super) fn name(stream: usize) -> String {
    format!("note-{stream}")
}

impl Model {
    pub(super) fn new(buckets: BTreeMap<(usize, String), i64>) -> Self {
        let keys = (0..TENANTS).flat_map(|tenant| (0..STREAMS).map(move |n| (tenant, n)));
        let streams = keys.map(|key| (key, Stream::default())).collect();
        Self { streams, receipts: BTreeMap::new(), buckets }
    }

    fn bucket(&self, tenant: usize, text: &str) -> i64 {
        self.buckets[&(tenant, text.to_owned())]
    }

    /// Makes the requests one after the other, and says what it then holds until it commits. The first
    /// position that is drawn is the server's.
    pub(super) fn call(&mut self, call: &[Asked], others: &Held, first: i64) -> (Answer, Held) {
        let mut held = Held::default();
        if let Some(code) = refusal(call) {
            return (Err(code.to_owned()), held);
        }
        let before = self.clone();
        self.take_streams(call, others, &mut held);
        if shares(call, &held) {
            *self = before;
            return (Err("FL006".to_owned()), Held::default());
        }
        let ids = call.iter().filter_map(|asked| Some((asked.tenant, asked.id?)));
        held.ids.extend(ids.filter(|id| !others.ids.contains(id)));
        let mut judged: Vec<_> = call.iter().map(|asked| self.judged(asked, &held)).collect();
        self.guard(call, others, &mut held, &mut judged);
        self.write(call, &mut judged, first);
        let mut lines = Vec::new();
        for ((outcome, ends), number) in judged.into_iter().zip(1..) {
            lines.extend(ends.iter().map(|ends| (number, outcome, ends.0, ends.1, ends.2)));
        }
        (Ok(lines), held)
    }

    /// Makes the streams that are missing, and locks those that are there.
    fn take_streams(&mut self, call: &[Asked], others: &Held, held: &mut Held) {
        let parts = || call.iter().flat_map(|a| a.parts.iter().map(move |part| (a.tenant, part)));
        for (tenant, part) in parts() {
            let bucket = self.bucket(tenant, &name(part.stream));
            let stream = self.streams.get_mut(&(tenant, part.stream)).unwrap();
            if may_make(part) && !stream.has_row && !others.buckets.contains(&bucket) {
                stream.has_row = true;
                held.buckets.insert(bucket);
            }
        }
        for (tenant, part) in parts() {
            let key = (tenant, part.stream);
            if self.streams[&key].has_row && !others.rows.contains(&key) {
                held.rows.insert(key);
            }
        }
    }

    /// What becomes of a request by its streams and its id alone.
    fn judged(&self, asked: &Asked, held: &Held) -> (i16, Vec<Ends>) {
        let of = |part: &Part| &self.streams[&(asked.tenant, part.stream)];
        let is_held = |part: &Part| {
            !held.rows.contains(&(asked.tenant, part.stream))
                && (may_make(part) || of(part).has_row)
        };
        let unchanged = |part: &Part| (Some(of(part).version()), None, None);
        let all = |ends: &dyn Fn(&Part) -> Ends| asked.parts.iter().map(ends).collect::<Vec<_>>();
        let id = asked.id.map(|id| (asked.tenant, id));
        if asked.parts.iter().any(is_held) || id.is_some_and(|id| !held.ids.contains(&id)) {
            let ends = |part: &Part| {
                if is_held(part) { (None, None, None) } else { unchanged(part) }
            };
            return (4, all(&ends));
        }
        if let Some(receipt) = id.and_then(|id| self.receipts.get(&id)) {
            if receipt.hash != asked.hash {
                return (3, all(&unchanged));
            }
            let kept = |(n, part)| receipt.parts.get(n).copied().unwrap_or_else(|| unchanged(part));
            return (1, asked.parts.iter().enumerate().map(kept).collect());
        }
        let fails = |part: &Part| {
            let version = of(part).version();
            part.expected == -1 && version == 0 || part.expected >= 0 && part.expected != version
        };
        if !asked.parts.iter().any(fails) {
            return (0, all(&unchanged));
        }
        let stored = |part: &Part| stored(of(part), part);
        if asked.id.is_some() || !asked.parts.iter().all(|part| stored(part).is_some()) {
            return (2, all(&unchanged));
        }
        let ends = |part: &Part| match stored(part).unwrap() {
            [] => unchanged(part),
            events @ [first, ..] => {
                let version = part.expected + events.len() as i64;
                (Some(version), Some(first.1), events.last().map(|event| event.1))
            }
        };
        (1, all(&ends))
    }

    /// Takes the locks of tags, and judges the conditions of the requests that are still alive.
    fn guard(
        &self,
        call: &[Asked],
        others: &Held,
        held: &mut Held,
        judged: &mut [(i16, Vec<Ends>)],
    ) {
        let mut needs: Vec<Vec<(i64, bool)>> = call
            .iter()
            .zip(&*judged)
            .map(|(asked, judged)| if judged.0 == 0 { self.keys(asked) } else { Vec::new() })
            .collect();
        if needs.iter().flatten().map(|need| need.0).collect::<BTreeSet<_>>().len() > KEYS_MAX {
            let all = |needs: &mut Vec<_>| needs.fill((ALL, true));
            needs.iter_mut().for_each(all);
        }
        let mut wanted = BTreeMap::new();
        for (key, exclusive) in needs.iter().flatten() {
            *wanted.entry(*key).or_insert(false) |= exclusive;
        }
        let free = |(key, exclusive): &(i64, bool)| {
            others.keys.get(key).is_none_or(|theirs| !theirs && !exclusive)
        };
        held.keys = wanted.into_iter().filter(free).collect();
        for ((asked, needs), (outcome, ends)) in call.iter().zip(needs).zip(judged) {
            if needs.iter().any(|need| !held.keys.contains_key(&need.0)) {
                *outcome = 4;
            } else if *outcome == 0
                && let Some(position) = self.against(asked)
            {
                *outcome = 6;
                ends.iter_mut().for_each(|ends| ends.1 = Some(position));
            }
        }
    }

    /// The locks of a request: its tags', one of each item exclusively, and that of all events.
    fn keys(&self, asked: &Asked) -> Vec<(i64, bool)> {
        let bucket = |text: &String| self.bucket(asked.tenant, text);
        let written = asked.events().flat_map(|event| &event.tags).map(|tag| (bucket(tag), false));
        let first = |item: &Item| item.tags.as_ref().map_or(ALL, |tags| bucket(&tags[0]));
        let watched = asked.items.iter().map(|item| (first(item), true));
        written.chain(watched).chain([(ALL, false)]).collect()
    }

    /// The first position that stands against a request's condition.
    fn against(&self, asked: &Asked) -> Option<i64> {
        let unseen = asked.items.iter().flat_map(|item| {
            let matching = self.matching(asked.tenant, item);
            matching.into_iter().filter(|position| !item.seen.contains(position))
        });
        unseen.min()
    }

    /// The positions of a tenant's events that match an item, beyond its own.
    pub(super) fn matching(&self, tenant: usize, item: &Item) -> Vec<i64> {
        let own = self.streams.iter().filter(|(key, _)| key.0 == tenant);
        let matches = |(event, position): &&(Event, i64)| {
            let of_type = |name: &&str| {
                *name == "note" || name.strip_prefix("note-").is_some_and(|kind| kind == event.kind)
            };
            *position > item.after
                && item.types.as_ref().is_none_or(|types| types.iter().any(of_type))
                && item.tags.iter().flatten().all(|tag| event.tags.contains(tag))
        };
        own.flat_map(|(_, stream)| &stream.events).filter(matches).map(|event| event.1).collect()
    }

    fn write(&mut self, call: &[Asked], judged: &mut [(i16, Vec<Ends>)], mut position: i64) {
        for (asked, (outcome, ends)) in call.iter().zip(judged) {
            if *outcome != 0 {
                continue;
            }
            for (part, ends) in asked.parts.iter().zip(&mut *ends) {
                let stream = self.streams.get_mut(&(asked.tenant, part.stream)).unwrap();
                for event in &part.events {
                    stream.events.push((event.clone(), position));
                    *ends = (Some(stream.version()), ends.1.or(Some(position)), Some(position));
                    position += 1;
                }
            }
            if let Some(id) = asked.id {
                let receipt = Receipt { hash: asked.hash, parts: ends.clone() };
                self.receipts.insert((asked.tenant, id), receipt);
            }
        }
    }
}

impl Asked {
    pub(super) fn events(&self) -> impl Iterator<Item = &Event> {
        self.parts.iter().flat_map(|part| &part.events)
    }

    /// Whether it is recognised by its events.
    pub(super) fn stands_alone(&self) -> bool {
        self.parts.iter().all(|part| part.expected >= 0) && self.events().next().is_some()
    }

    /// Whether a condition of this one locks what the other writes.
    fn watches(&self, other: &Self) -> bool {
        self.tenant == other.tenant
            && self.items.iter().any(|item| {
                other.events().any(|event| {
                    item.tags.as_ref().is_none_or(|tags| event.tags.contains(&tags[0]))
                })
            })
    }
}

fn may_make(part: &Part) -> bool {
    matches!(part.expected, -2 | 0)
}

/// The part's events as they are stored behind the version it expects, if all of them are.
fn stored<'a>(stream: &'a Stream, part: &Part) -> Option<&'a [(Event, i64)]> {
    let start = usize::try_from(part.expected).ok()?;
    if part.events.is_empty() {
        return Some(&[]);
    }
    let stored = stream.events.get(start..start + part.events.len())?;
    let ids = part.events.iter().map(|event| event.id);
    stored.iter().map(|event| event.0.id).eq(ids).then_some(stored)
}

/// Why a call is refused before anything is looked at: two requests that depend on one another by an id
/// or by a condition, or a condition from beyond the end of the log.
pub(super) fn refusal(call: &[Asked]) -> Option<&'static str> {
    let pairs = || call.iter().enumerate().flat_map(|(n, a)| call[..n].iter().map(move |b| (a, b)));
    let same = |a: &Asked, b: &Asked| a.id.is_some() && (a.tenant, a.id) == (b.tenant, b.id);
    if pairs().any(|(a, b)| same(a, b) || a.watches(b) || b.watches(a)) {
        return Some("FL006");
    }
    call.iter().flat_map(|a| &a.items).any(|item| item.after >= BEYOND).then_some("FL003")
}

/// Beyond the end of any log.
pub(super) const BEYOND: i64 = 1 << 40;

/// Whether two that care for its version share a stream that is locked, or one names it twice.
fn shares(call: &[Asked], held: &Held) -> bool {
    let mut named: BTreeMap<StreamKey, Vec<(usize, i64)>> = BTreeMap::new();
    for (number, asked) in call.iter().enumerate() {
        for part in &asked.parts {
            let entries = named.entry((asked.tenant, part.stream)).or_default();
            entries.push((number, part.expected));
        }
    }
    named.iter().any(|(key, entries)| {
        let requests: BTreeSet<_> = entries.iter().map(|entry| entry.0).collect();
        let twice = requests.len() < entries.len();
        held.rows.contains(key)
            && entries.len() > 1
            && (twice || entries.iter().any(|entry| entry.1 > -2))
    })
}
