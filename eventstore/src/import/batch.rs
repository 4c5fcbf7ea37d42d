//! A batch: rows in the form in which COPY takes them, and what is asked of the server for them.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::SystemTime;

use foldlog_core::{StreamName, Tag, Tenant};
use uuid::Uuid;

use crate::import::history::HistoricalEvent;

/// What a binary COPY begins with: its signature, no flags, no extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// How many bytes are sent at once.
const PIECE: usize = 1 << 18;
/// And ends with.
const TRAILER: [u8; 2] = (-1_i16).to_be_bytes();
/// The columns of import_copy.sql.
const COLUMNS: i16 = 9;
/// Where values stand in a row that are put in later: behind the count of columns, each behind its
/// length.
const POSITION: usize = 2 + 4;
const STREAM_ID: usize = POSITION + 8 + 4;
const TYPE_ID: usize = STREAM_ID + 8 + 4;
/// PostgreSQL counts its times from 2000, in microseconds.
const EPOCH_2000_US: i64 = 946_684_800_000_000;

/// A stream of a batch.
#[derive(Debug)]
pub(super) struct BatchStream {
    pub(super) name: StreamName,
    slice: u16,
    /// The version it must be at before.
    pub(super) before: u64,
    /// The version it is at after.
    pub(super) last: u64,
    /// The row of the input with its first event.
    pub(super) row: u64,
    last_place: usize,
}

#[derive(Debug)]
struct Place {
    at: usize,
    stream: usize,
    kind: usize,
}

/// Events that are stored in one transaction.
#[derive(Debug)]
pub(super) struct Batch {
    bytes: Vec<u8>,
    places: Vec<Place>,
    pub(super) streams: Vec<BatchStream>,
    by_name: HashMap<StreamName, usize>,
    /// How many events of the input are done before and after it.
    pub(super) before: u64,
    pub(super) done: u64,
    /// The digest of all of those after it.
    pub(super) digest: [u8; 32],
    /// The tags of its events, each once for a tenant, and the rows of the table of tags.
    pub(super) tags: BTreeSet<(Tenant, Tag)>,
    tag_places: Vec<(usize, Tag)>,
    /// The kinds that the run had not met before.
    pub(super) new_kinds: Vec<Kind>,
}

impl Batch {
    pub(super) fn new(before: u64) -> Self {
        Self {
            bytes: HEADER.to_vec(),
            places: Vec::new(),
            streams: Vec::new(),
            by_name: HashMap::new(),
            before,
            done: before,
            digest: [0; 32],
            tags: BTreeSet::new(),
            tag_places: Vec::new(),
            new_kinds: Vec::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    pub(super) fn size(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The version at which the batch leaves a stream that is in it.
    pub(super) fn end_of(&self, stream: &StreamName) -> Option<u64> {
        self.by_name.get(stream).and_then(|at| self.streams.get(*at)).map(|stream| stream.last)
    }

    /// Adds the row of an event of a kind, by the number that the run gave it.
    pub(super) fn push(&mut self, row: u64, event: HistoricalEvent, content: &[u8], kind: usize) {
        let place = self.places.len();
        let HistoricalEvent { stream: name, version, tags, .. } = event;
        for tag in tags {
            self.tags.insert((name.tenant().clone(), tag.clone()));
            self.tag_places.push((place, tag));
        }
        let stream = match self.by_name.get(&name) {
            Some(at) => *at,
            None => {
                let at = self.streams.len();
                self.by_name.insert(name.clone(), at);
                let (slice, before) = (name.slice(), version.saturating_sub(1));
                self.streams.push(BatchStream {
                    name,
                    slice,
                    before,
                    last: version,
                    row,
                    last_place: place,
                });
                at
            }
        };
        let Some(of) = self.streams.get_mut(stream) else { return };
        (of.last, of.last_place) = (version, place);
        self.places.push(Place { at: self.bytes.len(), stream, kind });
        self.bytes.extend(COLUMNS.to_be_bytes());
        field(&mut self.bytes, &[0; 8]);
        field(&mut self.bytes, &[0; 8]);
        field(&mut self.bytes, &[0; 4]);
        field(&mut self.bytes, &of.slice.to_be_bytes());
        self.bytes.extend_from_slice(content);
    }

    /// The numbers of its events' kinds, each once.
    pub(super) fn kinds(&self) -> Vec<usize> {
        let mut kinds: Vec<_> = self.places.iter().map(|place| place.kind).collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    }

    /// Puts in what the server gave, per event, per stream and per kind. False if it gave too few.
    pub(super) fn fill(&mut self, positions: &[i64], ids: &[i64], types: &[i32]) -> bool {
        if positions.len() != self.places.len() || ids.len() != self.streams.len() {
            return false;
        }
        for (place, position) in self.places.iter().zip(positions) {
            let (Some(id), Some(kind)) = (ids.get(place.stream), types.get(place.kind)) else {
                return false;
            };
            let at = place.at;
            put(&mut self.bytes, at + POSITION, &position.to_be_bytes());
            put(&mut self.bytes, at + STREAM_ID, &id.to_be_bytes());
            put(&mut self.bytes, at + TYPE_ID, &kind.to_be_bytes());
        }
        true
    }

    /// The position of the last event of each stream.
    pub(super) fn last_positions(&self, positions: &[i64]) -> Vec<i64> {
        let last = |stream: &BatchStream| positions.get(stream.last_place).copied();
        self.streams.iter().map(|stream| last(stream).unwrap_or_default()).collect()
    }

    /// Its bytes in pieces, as a COPY sends them.
    pub(super) fn pieces(&self) -> impl Iterator<Item = Vec<u8>> {
        self.bytes.chunks(PIECE).map(<[u8]>::to_vec).chain([TRAILER.to_vec()])
    }

    /// The bytes of its tags, for import_copy_tag.sql; `None` if no event has any.
    pub(super) fn tag_pieces(&self, positions: &[i64], types: &[i32]) -> Option<Vec<u8>> {
        if self.tag_places.is_empty() {
            return None;
        }
        let mut bytes = HEADER.to_vec();
        for (at, tag) in &self.tag_places {
            let place = self.places.get(*at)?;
            let tenant = self.streams.get(place.stream)?.name.tenant();
            bytes.extend(4_i16.to_be_bytes());
            field(&mut bytes, tenant.as_str().as_bytes());
            field(&mut bytes, tag.as_str().as_bytes());
            field(&mut bytes, &positions.get(*at)?.to_be_bytes());
            field(&mut bytes, &types.get(place.kind)?.to_be_bytes());
        }
        bytes.extend(TRAILER);
        Some(bytes)
    }

    /// How many rows of tags it has.
    pub(super) fn tag_rows(&self) -> u64 {
        self.tag_places.len() as u64
    }
}

/// The part of a row that is the same in every store; `None` if no server has such a time.
pub(super) fn content(
    into: &mut Vec<u8>,
    event: &HistoricalEvent,
    id: Uuid,
    begun: SystemTime,
) -> Option<()> {
    into.clear();
    field(into, &i64::try_from(event.version).ok()?.to_be_bytes());
    field(into, &time(event.recorded.unwrap_or(begun))?.to_be_bytes());
    field(into, id.as_bytes());
    field(into, event.payload.get().as_bytes());
    match &event.metadata {
        Some(metadata) => field(into, metadata.get().as_bytes()),
        None => into.extend((-1_i32).to_be_bytes()),
    }
    Some(())
}

/// Times before 1970 and after 9999 are not read back as they were.
fn time(recorded: SystemTime) -> Option<i64> {
    let since = recorded.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    let us = i64::try_from(since.as_micros()).ok().filter(|us| *us < 253_402_300_800_000_000)?;
    Some(us - EPOCH_2000_US)
}

fn field(into: &mut Vec<u8>, value: &[u8]) {
    // Limits keep every value far below the end of an i32.
    into.extend(i32::try_from(value.len()).unwrap_or(i32::MAX).to_be_bytes());
    into.extend_from_slice(value);
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(slot) = bytes.get_mut(at..at + value.len()) {
        slot.copy_from_slice(value);
    }
}

/// A type of events, by its category.
#[derive(Debug)]
pub(super) struct Kind {
    pub(super) category: String,
    pub(super) name: Arc<str>,
    pub(super) schema_version: u32,
}

/// The numbers of the kinds that a run has met, from 0 in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Kinds {
    by_name: HashMap<String, usize>,
    key: String,
}

impl Kinds {
    /// The number of an event's kind, which is put down if it is new.
    pub(super) fn number(&mut self, event: &HistoricalEvent, new: &mut Vec<Kind>) -> usize {
        use std::fmt::Write as _;

        self.key.clear();
        let category = event.stream.category();
        // Neither a category nor a kind holds a NUL. Writing to a text can't fail.
        let _ = write!(self.key, "{category}\0{}\0{}", event.kind, event.schema_version);
        if let Some(number) = self.by_name.get(&self.key) {
            return *number;
        }
        let number = self.by_name.len();
        new.push(Kind {
            category: category.to_owned(),
            name: event.kind.clone(),
            schema_version: event.schema_version,
        });
        self.by_name.insert(self.key.clone(), number);
        number
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use foldlog_core::Tenant;
    use serde_json::value::RawValue;

    use super::*;

    fn event(version: u64) -> HistoricalEvent {
        let stream = StreamName::parse(&Tenant::default(), "note-a").unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        let payload = RawValue::from_string("1".to_owned()).unwrap();
        HistoricalEvent::new(stream, version, "Noted", payload).recorded(time)
    }

    #[test]
    fn what_is_put_in_later_stands_where_the_columns_are() {
        let (mut batch, mut content_of) = (Batch::new(0), Vec::new());
        for version in [1, 2] {
            let event = event(version);
            content(&mut content_of, &event, event.stored_id(), SystemTime::UNIX_EPOCH).unwrap();
            batch.push(version, event, &content_of, 0);
        }
        assert!(batch.fill(&[7, 9], &[3], &[5]));
        let row = batch.bytes.split_off(batch.places[1].at);
        let slice = event(1).stream.slice().to_be_bytes();
        let expected = [
            &[0, 9][..],
            &[0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 9],
            &[0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 3],
            &[0, 0, 0, 4, 0, 0, 0, 5],
            &[0, 0, 0, 2, slice[0], slice[1]],
            &[0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 2],
        ];
        assert!(row.starts_with(&expected.concat()), "{row:?}");
        assert!(row.ends_with(&content_of));
        assert_eq!(batch.last_positions(&[7, 9]), [9]);
        assert!(!batch.fill(&[7], &[3], &[5]), "a position is missing");
    }

    #[test]
    fn times_that_would_not_come_back_are_none() {
        let epoch = SystemTime::UNIX_EPOCH;
        assert_eq!(time(epoch), Some(-EPOCH_2000_US));
        assert_eq!(time(epoch - Duration::from_secs(1)), None);
        assert_eq!(time(epoch + Duration::from_secs(253_402_300_800)), None);
    }
}
