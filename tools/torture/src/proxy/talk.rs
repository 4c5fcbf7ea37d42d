//! The words of PostgreSQL's protocol, as far as a proxy must know them: where a message ends, which
//! one asks for work, and which one ends an answer.

use std::collections::HashMap;
use std::io;

/// More than any message of ours; a length beyond it is no length.
const MESSAGE_BYTES_MAX: usize = 1 << 30;
/// The codes that stand in a first packet in place of a protocol's version.
const CANCEL: u32 = 80_877_102;
const TLS: u32 = 80_877_103;
const GSS: u32 = 80_877_104;

/// The statement of an append, wherever it is written.
const APPEND: &[u8] = b"foldlog.append_";

/// What a client wants executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Work {
    Statement,
    Append,
    Commit,
}

impl Work {
    fn of(text: &[u8]) -> Self {
        let start = text.trim_ascii_start();
        let word = start.split(|byte| !byte.is_ascii_alphabetic()).next().unwrap_or_default();
        if word.eq_ignore_ascii_case(b"commit") || word.eq_ignore_ascii_case(b"end") {
            Self::Commit
        } else if start.windows(APPEND.len()).any(|part| part == APPEND) {
            Self::Append
        } else {
            Self::Statement
        }
    }
}

/// A client's first packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Greeting {
    /// It asks for TLS or GSS encryption first.
    Encryption,
    Cancel,
    Startup,
}

/// A client's side of a connection, cut into messages.
#[derive(Debug, Default)]
pub(super) struct Talk {
    buffer: Vec<u8>,
    statements: HashMap<Vec<u8>, Work>,
    portals: HashMap<Vec<u8>, Work>,
    /// The most that was executed since the last sync.
    executed: Option<Work>,
}

/// A message of a client.
pub(super) struct Message {
    pub(super) bytes: Vec<u8>,
    /// Whether the server answers to it with an end of its own.
    pub(super) asks: bool,
    /// What the server is to do before that answer.
    pub(super) work: Option<Work>,
}

impl Talk {
    pub(super) fn hear(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next packet of those that stand before messages, once it is there as a whole.
    pub(super) fn greeting(&mut self) -> io::Result<Option<(Greeting, Vec<u8>)>> {
        let Some(packet) = self.take(0)? else { return Ok(None) };
        let greeting = match number(&packet, 4) {
            Some(TLS | GSS) => Greeting::Encryption,
            Some(CANCEL) => Greeting::Cancel,
            _ => Greeting::Startup,
        };
        Ok(Some((greeting, packet)))
    }

    /// The next message, once it is there as a whole.
    pub(super) fn message(&mut self) -> io::Result<Option<Message>> {
        let Some(bytes) = self.take(1)? else { return Ok(None) };
        let body = bytes.get(5..).unwrap_or_default();
        let mut texts = body.split(|byte| *byte == 0);
        let mut text = || texts.next().unwrap_or_default();
        let (mut asks, mut work) = (false, None);
        match bytes.first() {
            Some(b'Q') => (asks, work) = (true, Some(Work::of(text()))),
            // Parse: the statement's name, its text.
            Some(b'P') => {
                let name = text().to_vec();
                self.statements.insert(name, Work::of(text()));
            }
            // Bind: the portal's name, the statement's.
            Some(b'B') => {
                let (portal, statement) = (text().to_vec(), text());
                let bound = self.statements.get(statement).copied().unwrap_or(Work::Statement);
                self.portals.insert(portal, bound);
            }
            Some(b'E') => {
                let run = self.portals.get(text()).copied().unwrap_or(Work::Statement);
                self.executed = self.executed.max(Some(run));
            }
            // Close: `S` or `P`, then the name.
            Some(b'C') => match text().split_first() {
                Some((b'S', name)) => drop(self.statements.remove(name)),
                Some((_, name)) => drop(self.portals.remove(name)),
                None => {}
            },
            Some(b'S') => (asks, work) = (true, self.executed.take()),
            // A function call.
            Some(b'F') => asks = true,
            _ => {}
        }
        Ok(Some(Message { bytes, asks, work }))
    }

    /// What has come and is not a whole message: after a CancelRequest there is none.
    fn take(&mut self, tag: usize) -> io::Result<Option<Vec<u8>>> {
        let Some(length) = number(&self.buffer, tag) else { return Ok(None) };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if !(4..=MESSAGE_BYTES_MAX).contains(&length) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "no length of a message"));
        }
        let end = tag + length;
        Ok((self.buffer.len() >= end).then(|| self.buffer.drain(..end).collect()))
    }
}

/// A server's side, of which only the ends of its answers are looked at.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// The part of a message's head that has come.
    head: Vec<u8>,
    /// Bytes of the body that are still to come, and whether the first of them is a status.
    body: usize,
    status_next: bool,
    /// The answers that have ended.
    pub(super) ended: usize,
    pub(super) in_transaction: bool,
}

impl Answers {
    pub(super) fn hear(&mut self, mut bytes: &[u8]) {
        while let Some((first, rest)) = bytes.split_first() {
            if self.body > 0 {
                if self.status_next {
                    self.in_transaction = *first != b'I';
                    self.ended += 1;
                    self.status_next = false;
                }
                let passed = self.body.min(bytes.len());
                self.body -= passed;
                bytes = bytes.get(passed..).unwrap_or_default();
                continue;
            }
            self.head.push(*first);
            bytes = rest;
            if self.head.len() == 5 {
                let length = number(&self.head, 1).unwrap_or(4);
                self.body = usize::try_from(length).unwrap_or(4).saturating_sub(4);
                self.status_next = self.head.first() == Some(&b'Z');
                self.head.clear();
            }
        }
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at + 4)?;
    Some(u32::from_be_bytes(four.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(tag: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap();
        [&[tag][..], &length.to_be_bytes(), body].concat()
    }

    /// What each message that asks for an answer wants done.
    fn asked(bytes: &[u8], step: usize) -> Vec<Option<Work>> {
        let (mut talk, mut works) = (Talk::default(), Vec::new());
        for part in bytes.chunks(step) {
            talk.hear(part);
            while let Some(message) = talk.message().unwrap() {
                if message.asks {
                    works.push(message.work);
                }
            }
        }
        works
    }

    #[test]
    fn commits_and_appends_are_known_in_both_protocols_however_they_are_split() {
        let all = [
            message(b'Q', b"BEGIN\0"),
            message(b'Q', b" COMMIT\0"),
            message(b'Q', b"commitment\0"),
            message(b'P', b"s1\0select * from foldlog.append_1($1)\0\0\0"),
            message(b'P', b"s2\0commit\0\0\0"),
            message(b'S', b""),
            message(b'B', b"\0s1\0\0\0\0\0\0\0"),
            message(b'E', b"\0\0\0\0\0"),
            message(b'S', b""),
            message(b'B', b"p\0s2\0\0\0\0\0\0\0"),
            message(b'E', b"p\0\0\0\0\0"),
            message(b'S', b""),
            message(b'S', b""),
        ]
        .concat();
        let (statement, append) = (Some(Work::Statement), Some(Work::Append));
        let expected =
            [statement, Some(Work::Commit), statement, None, append, Some(Work::Commit), None];
        for step in [1, 3, 7, 4096] {
            assert_eq!(asked(&all, step), expected, "in pieces of {step}");
        }
    }

    #[test]
    fn ends_of_answers_are_counted_however_they_are_split() {
        let all = [
            message(b'R', &[0, 0, 0, 0]),
            message(b'Z', b"I"),
            message(b'D', b"Z\0\0\0\x05I"),
            message(b'C', b"BEGIN\0"),
            message(b'Z', b"T"),
            message(b'n', b""),
        ]
        .concat();
        for step in [1, 2, 5, 4096] {
            let mut answers = Answers::default();
            all.chunks(step).for_each(|part| answers.hear(part));
            assert_eq!((answers.ended, answers.in_transaction), (2, true));
        }
    }

    #[test]
    fn a_length_that_is_none_is_an_error() {
        let mut talk = Talk::default();
        talk.hear(b"Q\0\0\0\x03");
        assert!(talk.message().is_err());
    }
}
