//! A first reading of the table: what is there, and what can be told from it.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use foldlog_core::Error;
use futures_util::TryStreamExt as _;

use crate::cqrs_es::form::{Outside, PayloadForm, is_text};
use crate::cqrs_es::source::{Rows, SourceRow};

/// What a field with the type of an event is usually called.
const TAGS: [&str; 8] = ["type", "event_type", "eventType", "event", "kind", "tag", "t", "$type"];
/// And one with its content.
const CONTENTS: [&str; 6] = ["content", "data", "payload", "value", "body", "c"];
/// How many places of one trouble are named.
const NAMED_MAX: usize = 5;

/// What was found of one aggregate type.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) streams: u64,
    pub(super) events: u64,
    /// By event type and event version.
    pub(super) types: BTreeMap<(String, String), u64>,
    pub(super) first_us: Option<i64>,
    pub(super) last_us: Option<i64>,
    /// Events whose time is missing or can't be read.
    pub(super) timeless: u64,
    /// Events with an earlier time than the one before them in their stream.
    pub(super) backward: u64,
    pub(super) misnumbered: Places,
    pub(super) from_zero: u64,
    /// Streams with low hashes of their ids, to be looked at closely.
    sample: BTreeSet<(u64, String)>,
    shapes: Shapes,
}

/// Some places of a trouble, and how many there are.
#[derive(Debug, Default)]
pub(super) struct Places {
    pub(super) count: u64,
    pub(super) named: Vec<String>,
}

/// How many payloads look like what.
#[derive(Debug, Default)]
struct Shapes {
    /// A single key or a text that is the event type.
    own: u64,
    /// A single key or a text that is something else.
    single: u64,
    /// Objects in which the field has the event type as its value.
    tagged: BTreeMap<String, u64>,
    /// Objects with nothing but a tag and a usual name for content.
    paired: u64,
    /// Fields that are usual for a type and hold another text.
    strange: BTreeSet<String>,
}

/// The stream that is being read.
#[derive(Default)]
struct At {
    key: Option<(String, String)>,
    sequence: i64,
    time: Option<i64>,
}

/// Reads every row, stream by stream.
pub(super) async fn survey(
    mut rows: Rows<'_>,
    first: i64,
    sample: usize,
) -> Result<BTreeMap<String, Found>, Error> {
    let mut found: BTreeMap<String, Found> = BTreeMap::new();
    let mut at = At::default();
    while let Some(row) = rows.try_next().await? {
        let row = SourceRow::read(&row)?;
        let known = found.contains_key(&row.aggregate_type);
        if !known {
            found.insert(row.aggregate_type.clone(), Found::default());
        }
        if let Some(of) = found.get_mut(&row.aggregate_type) {
            of.take_in(&row, &mut at, first, sample);
        }
    }
    Ok(found)
}

impl Found {
    fn take_in(&mut self, row: &SourceRow, at: &mut At, first: i64, sample: usize) {
        let same = at
            .key
            .as_ref()
            .is_some_and(|(kind, id)| *kind == row.aggregate_type && *id == row.aggregate_id);
        if !same {
            self.streams += 1;
            at.key = Some((row.aggregate_type.clone(), row.aggregate_id.clone()));
            (at.sequence, at.time) = (first - 1, None);
            self.from_zero += u64::from(row.sequence == 0);
            self.keep(&row.aggregate_id, sample);
        }
        if row.sequence != at.sequence + 1 {
            self.misnumbered.add(|| format!("{}, after {}", row.place(), at.sequence));
        }
        at.sequence = row.sequence;
        self.events += 1;
        *self.types.entry((row.event_type.clone(), row.event_version.clone())).or_default() += 1;
        match row.recorded_us {
            None => self.timeless += 1,
            Some(us) => {
                self.backward += u64::from(at.time.is_some_and(|before| us < before));
                at.time = at.time.max(Some(us));
                self.first_us = Some(self.first_us.map_or(us, |first| first.min(us)));
                self.last_us = self.last_us.max(Some(us));
            }
        }
        self.shapes.take_in(&row.event_type, &row.payload);
    }

    fn keep(&mut self, id: &str, sample: usize) {
        let mut hash = DefaultHasher::new();
        id.hash(&mut hash);
        self.sample.insert((hash.finish(), id.to_owned()));
        if self.sample.len() > sample {
            self.sample.pop_last();
        }
    }

    /// The ids of streams to be looked at closely.
    pub(super) fn sample(&self) -> impl Iterator<Item = &str> {
        self.sample.iter().map(|(_, id)| id.as_str())
    }

    /// The form of all payloads, and whether it is a guess; or why it can't be told.
    pub(super) fn form(&self) -> Result<(PayloadForm, bool), String> {
        self.shapes.form(self.events)
    }
}

impl Places {
    fn add(&mut self, place: impl FnOnce() -> String) {
        self.count += 1;
        if self.named.len() < NAMED_MAX {
            self.named.push(place());
        }
    }
}

impl Shapes {
    fn take_in(&mut self, event_type: &str, payload: &str) {
        let fields = match Outside::of(payload) {
            Outside::Text(text) if text == event_type => return self.own += 1,
            Outside::Text(_) => return self.single += 1,
            Outside::Else => return,
            Outside::Object(fields) => fields,
        };
        if let [(name, value)] = &fields[..]
            && !is_text(value, event_type)
        {
            if name == event_type {
                self.own += 1;
            } else {
                self.single += 1;
            }
            return;
        }
        let mut tagged = false;
        for (name, value) in &fields {
            if is_text(value, event_type) {
                tagged = true;
                // More of them than this are no tags.
                if self.tagged.len() < 64 || self.tagged.contains_key(name) {
                    *self.tagged.entry(name.clone()).or_default() += 1;
                }
            } else if TAGS.contains(&name.as_str()) && value.get().starts_with('"') {
                self.strange.insert(name.clone());
            }
        }
        let content = fields.iter().any(|(name, _)| CONTENTS.contains(&name.as_str()));
        self.paired += u64::from(tagged && fields.len() == 2 && content);
    }

    fn form(&self, events: u64) -> Result<(PayloadForm, bool), String> {
        if self.own == events {
            return Ok((PayloadForm::External, false));
        }
        let tags: Vec<&String> =
            self.tagged.iter().filter(|(_, count)| **count == events).map(|(tag, _)| tag).collect();
        match &tags[..] {
            [tag] if self.paired == 0 => {
                return Ok((PayloadForm::Internal { tag: (*tag).clone() }, true));
            }
            [tag] => {
                return Err(format!(
                    "the field {tag:?} holds the type, and it can't be told whether the rest is the \
                     content or holds it: say PayloadForm::Internal or PayloadForm::Adjacent"
                ));
            }
            [] => {}
            _ => {
                let tags: Vec<_> = tags.iter().map(|tag| format!("{tag:?}")).collect();
                return Err(format!(
                    "the fields {} all hold the type: say which, as PayloadForm::Internal",
                    tags.join(", ")
                ));
            }
        }
        if self.own + self.single == events {
            return Err(format!(
                "{} of {events} payloads are a text or have a single field that is not their \
                 event_type: say PayloadForm::External if that is the name of the variant, \
                 PayloadForm::Bare if it belongs to the content",
                self.single
            ));
        }
        if self.own == 0 && self.tagged.is_empty() && self.strange.is_empty() {
            return Ok((PayloadForm::Bare, true));
        }
        let strange: Vec<_> = self.strange.iter().map(|name| format!(", {name:?}")).collect();
        Err(format!(
            "payloads have different forms ({} of {events} are wrapped in their event_type; fields \
             that look like a type: {:?}{}): say which PayloadForm it is",
            self.own,
            self.tagged.keys().collect::<Vec<_>>(),
            strange.concat()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(rows: &[(&str, &str)]) -> Result<(PayloadForm, bool), String> {
        let mut shapes = Shapes::default();
        for (event_type, payload) in rows {
            shapes.take_in(event_type, payload);
        }
        shapes.form(rows.len() as u64)
    }

    #[test]
    fn a_form_is_told_where_all_payloads_agree_on_it() {
        let external = [("Opened", r#"{"Opened":{"owner":"Ada"}}"#), ("Closed", r#""Closed""#)];
        assert_eq!(form(&external), Ok((PayloadForm::External, false)));
        let internal =
            [("Opened", r#"{"type":"Opened","a":1}"#), ("Closed", r#"{"type":"Closed"}"#)];
        assert_eq!(form(&internal), Ok((PayloadForm::Internal { tag: "type".into() }, true)));
        let bare = [("Opened", r#"{"owner":"Ada","cents":1}"#), ("Paid", r#"{"cents":5}"#)];
        assert_eq!(form(&bare), Ok((PayloadForm::Bare, true)));
        assert_eq!(form(&[("Moved", "[1,2]")]), Ok((PayloadForm::Bare, true)));
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_not_guessed() {
        for (rows, says) in [
            (&[("InvoicePaid", r#"{"Paid":{}}"#)][..], "PayloadForm::External if"),
            (&[("Paid", r#"{"Paid":{}}"#), ("Closed", r#"{"cents":1}"#)], "1 of 2"),
            (&[("Paid", r#"{"t":"Paid","data":{}}"#)], "PayloadForm::Adjacent"),
            (&[("Paid", r#"{"a":"Paid","b":"Paid","c":1}"#)], "which"),
            (&[("AccountPaid", r#"{"type":"paid","cents":1}"#)], "\"type\""),
            (&[("Paid", r#"{"Paid":{}}"#), ("Paid", r#"{"type":"Paid","a":1}"#)], "different"),
        ] {
            let told = form(rows).unwrap_err();
            assert!(told.contains(says), "{told}");
        }
    }
}
