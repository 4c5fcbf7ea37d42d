//! Why an import ended early.

use foldlog_core::{Error, StreamName};

/// Why an import ended before its input did. The batches before it are stored, whole; with the cause
/// mended, the same import goes on behind them.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// An event could not be read back, so it is not stored.
    #[error("row {row}, event {version} of stream {stream}: {why}")]
    Refused {
        /// Which event of the input, counted from 1.
        row: u64,
        /// Its stream.
        stream: StreamName,
        /// Its version.
        version: u64,
        /// What is wrong with it, and what to do.
        #[source]
        why: Error,
    },
    /// The versions of the input don't continue a stream.
    #[error(
        "row {row}: event {version} of stream {stream} does not follow version {end}, at which \
         {} leaves the stream: versions of a stream must come in order, without gaps, and go on \
         where the store ends; {}",
        if *.stored { "the store" } else { "the input" },
        remedy(*.version, *.end, *.stored)
    )]
    OutOfStep {
        /// Which event of the input, counted from 1.
        row: u64,
        /// Its stream.
        stream: StreamName,
        /// Its version.
        version: u64,
        /// The version that the stream is at.
        end: u64,
        /// Whether that is so in the store, and not in the rows before.
        stored: bool,
    },
    /// The input is not the one that the import began with.
    #[error(
        "import {name:?} has stored {done} events, and {difference}: give it the input it began \
         with, or import the other one under another name"
    )]
    Differs {
        /// The name of the import.
        name: String,
        /// How many events it has stored.
        done: u64,
        /// What differs: it names rows, streams and versions.
        difference: String,
    },
    /// Another session has the import open.
    #[error(
        "import {name:?} is running in another session: wait for its end, or stop it; a session \
         that was killed is over within seconds"
    )]
    Running {
        /// The name of the import.
        name: String,
    },
    /// The input failed.
    #[error("row {row} could not be had from the input")]
    Input {
        /// Which event of the input, counted from 1.
        row: u64,
        /// What the input says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Everything else.
    #[error(transparent)]
    Store(#[from] Error),
}

fn remedy(version: u64, end: u64, stored: bool) -> &'static str {
    match (version <= end, stored) {
        (true, true) => {
            "leave out what is stored already, or import into another store if others have \
             appended to the stream meanwhile"
        }
        (true, false) => "remove the double, or sort the input by version within each stream",
        (false, _) => "find the missing events, or number the stream anew",
    }
}
