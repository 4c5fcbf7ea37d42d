//! An event of some stream as it is after a stay in the store: written, and read back.

use std::time::SystemTime;

use foldlog_core::given::kit::{Tree, chain, sample_id, token};
use foldlog_core::{Encoded, Metadata, QueryItem, RawEvent, StreamName, Tag};
use foldlog_eventstore::Rewrite;
use serde_json::value::RawValue;

/// An event that was written and read back.
pub(super) struct Happened {
    pub(super) raw: RawEvent,
    pub(super) tags: Vec<Tag>,
    payload: Tree,
}

/// Where an event comes to stand.
pub(super) struct Place<'a> {
    pub(super) stream: &'a StreamName,
    pub(super) version: u64,
    pub(super) position: u64,
    pub(super) recorded: SystemTime,
    pub(super) metadata: &'a Metadata,
}

impl Happened {
    /// Reads an event back and writes it a second time; the error is a sentence that names it.
    pub(super) fn new(
        place: &Place<'_>,
        written: &Encoded,
        rewrite: Option<Rewrite>,
    ) -> Result<Self, String> {
        let Place { stream, version, position, recorded, metadata } = *place;
        let fault = |text: String| format!("event {version} of {stream} ({}) {text}", written.kind);
        let tree = |json: &RawValue| {
            Tree::read(json.get()).map_err(|error| fault(format!("is no JSON: {error}")))
        };
        let metadata = metadata.encode().map(RawValue::from_string).transpose();
        let raw = RawEvent {
            stream: stream.clone(),
            version,
            token: token(position),
            id: sample_id(position),
            kind: written.kind.into(),
            schema_version: 1,
            payload: written.payload.clone(),
            metadata: metadata.map_err(|error| fault(format!("has bad metadata: {error}")))?,
            recorded,
        };
        let payload = tree(&written.payload)?;
        if let Some(rewrite) = rewrite {
            let again = rewrite(&raw)
                .map_err(|error| fault(format!("can't be read back: {}", chain(&error))))?;
            if again.kind != written.kind {
                return Err(fault(format!("is read back as a {}", again.kind)));
            }
            if let Some(difference) = payload.difference(&tree(&again.payload)?) {
                return Err(fault(format!(
                    "does not mean the same once it was stored: {} is written as {}, but as {} \
                     after it was read back",
                    difference.path, difference.left, difference.right
                )));
            }
            if again.tags != written.tags {
                return Err(fault(format!(
                    "is tagged by {}, but by {} after it was read back",
                    listed(&written.tags),
                    listed(&again.tags)
                )));
            }
        }
        Ok(Self { raw, tags: written.tags.clone(), payload })
    }

    pub(super) fn matches(&self, item: &QueryItem) -> bool {
        item.matches(self.raw.stream.category(), &self.raw.kind, &self.tags)
    }

    pub(super) fn text(&self) -> String {
        let (stream, kind, payload) = (&self.raw.stream, &self.raw.kind, &self.payload);
        let tags = if self.tags.is_empty() { String::new() } else { listed(&self.tags) };
        format!("{stream} {kind} {payload} {tags}").trim_end().to_owned()
    }
}

/// Events in a failure.
pub(super) fn texts(events: &[Happened], between: &str) -> String {
    let texts: Vec<String> = events.iter().map(Happened::text).collect();
    if texts.is_empty() { "no event".to_owned() } else { texts.join(between) }
}

/// The first place where two rows of events part, as a sentence.
pub(super) fn difference(
    left: &[Happened],
    right: &[Happened],
    this: &str,
    that: &str,
) -> Option<String> {
    (0..left.len().max(right.len())).find_map(|index| {
        let (left, right) = (left.get(index), right.get(index));
        if let (Some(left), Some(right)) = (left, right)
            && (&left.raw.stream, &left.raw.kind) == (&right.raw.stream, &right.raw.kind)
            && let Some(difference) = left.payload.difference(&right.payload)
        {
            return Some(format!(
                "event {} ({}): {} is {} {this}, {} {that}",
                index + 1,
                left.raw.kind,
                difference.path,
                difference.left,
                difference.right
            ));
        }
        let text = |event: Option<&Happened>| event.map_or("missing".to_owned(), Happened::text);
        let (left, right) = (text(left), text(right));
        (left != right).then(|| format!("event {} is {left} {this}, {right} {that}", index + 1))
    })
}

fn listed(tags: &[Tag]) -> String {
    let tags: Vec<&str> = tags.iter().map(Tag::as_str).collect();
    format!("[{}]", tags.join(", "))
}

/// A part of a boundary in a failure.
pub(super) fn item_text(item: &QueryItem) -> String {
    let types = if item.types.is_empty() { "all types".to_owned() } else { item.types.join(", ") };
    if item.tags.is_empty() { types } else { format!("{types} {}", listed(&item.tags)) }
}
