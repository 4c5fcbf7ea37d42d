//! Marks: a stream archived, truncated or tombstoned, and what its readers and writers are told.

mod marking;
mod stored;

use std::fmt;
use std::time::SystemTime;

use foldlog_core::{Error, ErrorKind, StreamName};

pub(crate) use marking::check_reason;
pub use marking::{Marking, MarkingIn};
pub(crate) use stored::Marks;

/// The most bytes of a reason.
pub const REASON_BYTES_MAX: usize = 1_000;

/// What was done to a stream, by whom and why. Kept for ever.
///
/// An error of kind [`Archived`](ErrorKind::Archived), [`Tombstoned`](ErrorKind::Tombstoned) or
/// [`Truncated`](ErrorKind::Truncated) has the mark that is in the way: [`Mark::of`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mark {
    /// What was done.
    pub kind: MarkKind,
    /// Why.
    pub reason: String,
    /// The role that was logged in.
    pub by: String,
    /// When, by the server's clock.
    pub at: SystemTime,
}

/// What a mark says of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MarkKind {
    /// It is read as ever, and not appended to.
    Archived,
    /// It is open again.
    Unarchived,
    /// It begins later.
    Truncated {
        /// The version of the first event that readers see.
        first_version: u64,
        /// Whether this event stands for all before it, so that a state is folded from it.
        is_summary: bool,
    },
    /// It is closed for ever, and not read.
    Tombstoned,
    /// Events of it went with a segment that was dropped.
    Dropped {
        /// The version of the first event that is left.
        first_version: u64,
    },
    /// Something this program does not know: a newer one has marked the stream.
    Unknown(String),
}

/// Where a stream begins that was truncated.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cut {
    /// The version of the first event that readers see.
    pub first_version: u64,
    /// Whether this event stands for all before it.
    pub is_summary: bool,
    /// Who cut it, when and why.
    pub mark: Option<Mark>,
}

impl Mark {
    /// The mark that an error is about.
    #[must_use]
    pub fn of(error: &Error) -> Option<&Self> {
        std::error::Error::source(error)?.downcast_ref()
    }
}

impl Cut {
    /// Whether a fold of the first `version` events goes on with what readers see. False if it has to
    /// begin anew, with the event that stands for all before it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Truncated`] if events are missing in between.
    pub fn continues(&self, stream: &StreamName, version: u64) -> Result<bool, Error> {
        if version.saturating_add(1) >= self.first_version {
            Ok(true)
        } else if self.is_summary {
            Ok(false)
        } else {
            Err(self.error(stream))
        }
    }

    /// What says that a state can't be folded, since events are missing.
    #[must_use]
    pub fn error(&self, stream: &StreamName) -> Error {
        let text = format!(
            "stream {stream} begins with version {}: the events before it were cut off{}. Its state \
             can't be folded from the rest; read its events, or load a snapshot that was taken at the \
             cut or after it",
            self.first_version,
            because(self.mark.as_ref()),
        );
        marked(ErrorKind::Truncated, text, self.mark.clone())
    }
}

/// A stream that is not appended to, or not read any more.
pub(crate) fn closed(stream: &StreamName, state: i16, mark: Option<Mark>) -> Error {
    let why = because(mark.as_ref());
    match state {
        1 => {
            let text = format!("stream {stream} was archived{why}: unarchive it to append to it");
            marked(ErrorKind::Archived, text, mark)
        }
        2 => {
            let text = format!(
                "stream {stream} was tombstoned{why}: it is closed for ever, and its name is not given \
                 anew"
            );
            marked(ErrorKind::Tombstoned, text, mark)
        }
        _ => Error::new(
            ErrorKind::Setup,
            format!(
                "stream {stream} has a mark ({state}) that this program does not know: deploy a newer \
                 release"
            ),
        ),
    }
}

fn because(mark: Option<&Mark>) -> String {
    mark.map(|mark| format!(" by {} ({})", mark.by, mark.reason)).unwrap_or_default()
}

fn marked(kind: ErrorKind, text: String, mark: Option<Mark>) -> Error {
    let error = Error::new(kind, text);
    match mark {
        Some(mark) => error.with_source(mark),
        None => error,
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            MarkKind::Archived => f.write_str("archived")?,
            MarkKind::Unarchived => f.write_str("unarchived")?,
            MarkKind::Truncated { first_version, .. } => {
                write!(f, "truncated before version {first_version}")?;
            }
            MarkKind::Tombstoned => f.write_str("tombstoned")?,
            MarkKind::Dropped { first_version } => {
                write!(f, "dropped before version {first_version}")?;
            }
            MarkKind::Unknown(kind) => write!(f, "marked {kind:?}")?,
        }
        write!(f, " by {}: {}", self.by, self.reason)
    }
}

// So that it can be the source of an `Error`.
impl std::error::Error for Mark {}
