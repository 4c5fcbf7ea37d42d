//! Why a view does not hold what was asked for: in words, and in a form to branch on.

use std::fmt;
use std::time::Duration;

use foldlog_core::{Error, SliceClass};

/// Why a read of a view gave nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The view did not come as far as the token within the time.
    #[error("view {view} is stale after {} ms: {why}", waited.as_millis())]
    Stale {
        /// The view.
        view: &'static str,
        /// How long the read waited.
        waited: Duration,
        /// What keeps it.
        why: Why,
    },
    /// Everything else.
    #[error(transparent)]
    Store(#[from] Error),
}

/// What keeps a view from a token, the most telling reason first.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Why {
    /// The view was retired, or never registered in this database.
    Absent,
    /// It stopped at an event that it can't apply.
    Stopped {
        /// The slice class.
        class: SliceClass,
        /// The event, and what is wrong with it.
        error: String,
    },
    /// No live worker owns a slice class of it.
    NoWorker {
        /// The slice class.
        class: SliceClass,
    },
    /// An append is open, and everything behind it waits.
    OpenAppend {
        /// Who left it open.
        holder: String,
    },
    /// The database did not answer in time.
    Unanswered,
    /// A worker is on its way.
    CatchingUp {
        /// The process that works on it.
        owner: String,
        /// How many positions lie between its checkpoint and the token; at most as many events.
        positions: u64,
    },
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str(
                "this database does not know it, or it was retired: register it with `.view::<V>()`",
            ),
            Self::Stopped { class, error } => write!(
                f,
                "slice class {class} stopped at {error}; mend the cause and start a worker again"
            ),
            Self::NoWorker { class } => write!(
                f,
                "no live worker owns slice class {class}: start a process that registers the view, \
                 not `.without_workers()`"
            ),
            Self::OpenAppend { holder } => write!(f, "readers wait behind {holder}"),
            Self::Unanswered => f.write_str("the database does not answer in time"),
            Self::CatchingUp { owner, positions } => {
                write!(f, "worker {owner} is catching up, {positions} positions to go")
            }
        }
    }
}
