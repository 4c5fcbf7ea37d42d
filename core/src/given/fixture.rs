//! A stored stream as a text, to be kept beside the tests.

mod line;
pub(super) mod moment;

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, ErrorKind};
use crate::event::{EventSet, RawEvent, Recorded};
use crate::stream::StreamName;

/// The events of one stream as they were stored: each with its type, schema version, payload,
/// metadata and time.
///
/// [`Display`](fmt::Display) and [`parse`](Self::parse) undo each other. The text has a line of JSON
/// for the stream, then one for each event, so that it can be written by hand and compared line by
/// line:
///
/// ```text
/// {"fixture":1,"stream":"account-ada"}
/// {"version":1,"kind":"Opened","payload":{"owner":"Ada"}}
/// {"version":2,"kind":"Deposited","recorded":"2026-03-01T09:30:00Z","payload":{"cents":900}}
/// ```
///
/// It holds payloads as they are, with whatever they say about people: look through it before you
/// keep it.
#[derive(Clone, Debug)]
pub struct Fixture {
    stream: StreamName,
    events: Vec<RawEvent>,
}

impl Fixture {
    /// The fixture of a whole stream, as it was read.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] unless the events are those of the stream from version 1 on, in order.
    pub fn new(stream: StreamName, events: Vec<RawEvent>) -> Result<Self, Error> {
        for (version, event) in (1..).zip(&events) {
            if event.stream != stream {
                return Err(Error::new(
                    ErrorKind::Invalid,
                    format!("{} is not of stream {stream}: read one stream", event.place()),
                ));
            }
            check_version(version, event.version).map_err(|reason| {
                Error::new(ErrorKind::Invalid, format!("a fixture of {stream}: {reason}"))
            })?;
        }
        Ok(Self { stream, events })
    }

    /// Reads the text of a fixture. Blank lines are skipped.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] with the number of the line and what to do about it.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
        let (number, head) = lines.next().unwrap_or((1, ""));
        let stream = line::read_head(head).map_err(|reason| fault(number, &reason))?;
        let mut events = Vec::new();
        for (version, (number, text)) in (1..).zip(lines) {
            let event = line::read_event(&stream, text).map_err(|reason| fault(number, &reason))?;
            check_version(version, event.version).map_err(|reason| fault(number, &reason))?;
            events.push(event);
        }
        Ok(Self { stream, events })
    }

    /// The stream.
    #[must_use]
    pub fn stream(&self) -> &StreamName {
        &self.stream
    }

    /// The events as they were stored.
    #[must_use]
    pub fn events(&self) -> &[RawEvent] {
        &self.events
    }

    /// The events decoded, with all that was recorded about them: for tests of views as well.
    ///
    /// Their tokens belong to no store, unless the fixture was made by [`new`](Self::new).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Decode`] if the program does not know an event; as [`RawEvent::typed`].
    pub fn recorded<E: EventSet>(&self) -> Result<Vec<Recorded<E>>, Error> {
        self.events.iter().map(RawEvent::typed).collect()
    }
}

impl fmt::Display for Fixture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", line::write_head(&self.stream)?)?;
        self.events.iter().try_for_each(|event| writeln!(f, "{}", line::write_event(event)?))
    }
}

impl FromStr for Fixture {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

fn check_version(expected: u64, version: u64) -> Result<(), String> {
    if version == expected {
        return Ok(());
    }
    Err(format!(
        "version {version} stands where version {expected} belongs: a fixture is a whole stream, \
         counted from 1 without a gap"
    ))
}

fn fault(number: usize, reason: &str) -> Error {
    Error::new(ErrorKind::Invalid, format!("line {number} of the fixture: {reason}"))
}

#[cfg(test)]
mod tests;
