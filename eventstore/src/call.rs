//! One call of the append function: its arguments, for either driver, and what its rows say.

use foldlog_core::{Error, ErrorKind, Expected, Position, StreamName};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::append::{AppendError, Appended, StreamAppended};
use crate::boundary::Condition;
use crate::mark::Marks;
use crate::request::Request;
use crate::store::EventStore;

/// The arguments, column by column. They borrow from the requests.
#[derive(Debug, Default)]
pub(crate) struct Columns<'a> {
    pub(crate) tenants: Vec<&'a str>,
    pub(crate) ids: Vec<Option<Uuid>>,
    pub(crate) hashes: Vec<Option<Vec<u8>>>,
    pub(crate) replies: Vec<Option<&'a str>>,
    pub(crate) stream_requests: Vec<i32>,
    pub(crate) names: Vec<&'a str>,
    pub(crate) expected: Vec<i64>,
    pub(crate) event_streams: Vec<i32>,
    pub(crate) event_ids: Vec<Uuid>,
    pub(crate) types: Vec<i32>,
    pub(crate) payloads: Vec<&'a str>,
    pub(crate) metadata: Vec<Option<&'a str>>,
    // None unless an event has tags.
    pub(crate) tags: Option<Vec<Option<&'a str>>>,
    pub(crate) item_requests: Vec<i32>,
    pub(crate) item_types: Vec<Option<&'a str>>,
    pub(crate) item_tags: Vec<Option<&'a str>>,
    pub(crate) item_after: Vec<i64>,
    pub(crate) item_seen: Vec<Option<&'a str>>,
}

impl<'a> Columns<'a> {
    /// Adds a request and the types of its events.
    pub(crate) fn push(&mut self, request: &'a Request, types: &[i32]) {
        self.tenants.push(request.tenant_name());
        self.ids.push(request.id);
        self.hashes.push(request.content_hash().map(|hash| hash.to_vec()));
        self.replies.push(request.reply.as_deref().map(RawValue::get));
        let number = ordinal(self.tenants.len());
        let before = self.event_ids.len();
        let mut index = 0;
        for part in &*request.streams {
            self.stream_requests.push(number);
            self.names.push(part.name.as_str());
            self.expected.push(expected_number(part.expected));
            let stream = ordinal(self.names.len());
            for event in &part.events {
                self.event_streams.push(stream);
                self.event_ids.push(request.event_id(index));
                self.payloads.push(event.payload.get());
                self.metadata.push(request.metadata.as_deref());
                index += 1;
            }
        }
        self.types.extend_from_slice(types);
        if !request.tags.is_empty() {
            let tags = self.tags.get_or_insert_default();
            // Those before it have none.
            tags.resize(before, None);
            tags.extend(request.tags.iter().map(Option::as_deref));
        }
        for item in request.condition.iter().flat_map(Condition::items) {
            self.item_requests.push(number);
            self.item_types.push(item.types);
            self.item_tags.push(item.tags);
            self.item_after.push(item.after);
            self.item_seen.push(item.seen);
        }
    }

    /// Ends the columns: each is as long as there are events.
    pub(crate) fn finish(mut self) -> Self {
        if let Some(tags) = &mut self.tags {
            tags.resize(self.event_ids.len(), None);
        }
        self
    }
}

/// One row of the answer: what became of one stream of a request.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Which request, counted from 1.
    pub(crate) request: i32,
    pub(crate) outcome: i16,
    /// None where another holds the stream.
    pub(crate) version: Option<i64>,
    pub(crate) first_position: Option<i64>,
    pub(crate) last_position: Option<i64>,
    pub(crate) reply: Option<String>,
}

impl Answer {
    /// A row of tokio-postgres, its columns in the order of the statement.
    pub(crate) fn of(row: &tokio_postgres::Row) -> Result<Self, tokio_postgres::Error> {
        Ok(Self {
            request: row.try_get(0)?,
            outcome: row.try_get(2)?,
            version: row.try_get(3)?,
            first_position: row.try_get(4)?,
            last_position: row.try_get(5)?,
            reply: row.try_get(6)?,
        })
    }
}

/// What became of one request.
#[derive(Debug)]
pub(crate) enum Outcome {
    Appended(Appended),
    Refused(AppendError),
    /// Others hold the stream of this place in the request; or, at no place, its boundary or its id.
    Busy(Option<usize>),
}

impl EventStore {
    /// What the rows of one request say.
    pub(crate) fn outcome(&self, request: &Request, rows: &[Answer]) -> Outcome {
        let mut streams = Vec::with_capacity(rows.len());
        for (part, row) in request.streams.iter().zip(rows) {
            match row.outcome {
                0 | 1 => {}
                3 => return Outcome::Refused(id_reused(request).into()),
                4 => {
                    let held = rows.iter().position(|row| row.version.is_none());
                    return Outcome::Busy(held);
                }
                6 => {
                    let position = Position::new(number(row.first_position.unwrap_or_default()));
                    return Outcome::Refused(AppendError::ConditionFailed { position });
                }
                5 => return Outcome::Refused(closed(request, rows).into()),
                7 => return Outcome::Refused(expired(&part.name).into()),
                _ => return Outcome::Refused(conflict(request, rows)),
            }
            streams.push(StreamAppended {
                stream: part.name.clone(),
                version: number(row.version.unwrap_or_default()),
                position: row.last_position.map(|p| Position::new(number(p))),
            });
        }
        if streams.len() < request.streams.len() {
            let message = "the append function answered for fewer streams than it was asked for";
            return Outcome::Refused(Error::new(ErrorKind::Internal, message).into());
        }
        let last = streams.iter().filter_map(|s| s.position).max().unwrap_or_default();
        // It was written as json, so it reads as JSON.
        let reply = rows.iter().find_map(|row| row.reply.clone());
        Outcome::Appended(Appended {
            streams,
            token: self.token(last),
            repeated: rows.iter().any(|row| row.outcome == 1),
            reply: reply.and_then(|json| RawValue::from_string(json).ok()),
        })
    }
}

fn conflict(request: &Request, rows: &[Answer]) -> AppendError {
    // The answer gives each stream's version; which expectation failed follows from it.
    let actual = |row: &Answer| number(row.version.unwrap_or_default());
    let failed = request.streams.iter().zip(rows).find(|(part, row)| match part.expected {
        Expected::Any => false,
        Expected::Exists => actual(row) == 0,
        Expected::NoStream => actual(row) != 0,
        Expected::Exact(version) => actual(row) != version,
    });
    match failed {
        Some((part, row)) => AppendError::Conflict {
            stream: part.name.clone(),
            expected: part.expected,
            actual: actual(row),
        },
        None => AppendError::Store(Error::new(
            ErrorKind::Internal,
            "the append function answered a conflict that none of the versions shows",
        )),
    }
}

fn closed(request: &Request, rows: &[Answer]) -> Error {
    let marked = request.streams.iter().zip(rows).find_map(|(part, row)| {
        let marks = row.reply.as_deref()?;
        Some(Marks::parse(marks).map_or_else(|error| error, |marks| marks.refusal(&part.name)))
    });
    marked.unwrap_or_else(|| {
        Error::new(
            ErrorKind::Internal,
            "the append function answered that a stream is closed, of none",
        )
    })
}

fn expired(stream: &StreamName) -> Error {
    Error::new(
        ErrorKind::Expired,
        format!(
            "stream {stream} is not at the expected version, and whether this append was made before \
             can't be told: the events that it would have made were dropped with their segment"
        ),
    )
}

fn id_reused(request: &Request) -> Error {
    Error::new(
        ErrorKind::IdReused,
        format!(
            "the id {} was used before, for other content: give each append and each command an id \
             of its own, and repeat it only with the same content",
            request.id.unwrap_or_default()
        ),
    )
}

fn expected_number(expected: Expected) -> i64 {
    match expected {
        Expected::Any => -2,
        Expected::Exists => -1,
        Expected::NoStream => 0,
        Expected::Exact(version) => i64::try_from(version).unwrap_or(i64::MAX),
    }
}

/// How many there are, as the function counts: limits keep them far below the end.
fn ordinal(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

pub(crate) fn number(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}
