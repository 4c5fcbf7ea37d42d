//! What can be wrong with a file: each a paragraph that names the place and the remedy.

use std::io;
use std::path::{Path, PathBuf};

use super::content::TooLong;
use super::{COLUMNS, GZIP_HINT};

#[derive(Debug, thiserror::Error)]
pub enum InputError {
    #[error(
        "{} can't be opened: {cause}. Name a file that is there and may be read, as in \
         `--input FILE`, or leave `--input` out to play the data that ships.",
        path.display()
    )]
    Unopened { path: PathBuf, cause: io::Error },
    #[error(
        "{} is not a file. It is read more than once, so save the lines in a file, plain or gzip, \
         and name that with `--input`.",
        path.display()
    )]
    NotAFile { path: PathBuf },
    #[error(
        "{} is not the CSV this example plays: {why}. Its first line must read `{}`. Export the \
         table as comma-separated text in UTF-8{GZIP_HINT}.",
        path.display(),
        COLUMNS.join(",")
    )]
    NotCsv { path: PathBuf, why: String },
    #[error(
        "{} has a malformed line: line {line}, column {column}: {why}. Correct that line and run \
         again; nothing of the file was played by this run.",
        path.display()
    )]
    Malformed { path: PathBuf, line: u64, column: String, why: String },
    #[error(
        "{} can't be read beyond line {line}: {cause}. If it was downloaded or copied, fetch it \
         again: it seems to be damaged or cut off.",
        path.display()
    )]
    Damaged { path: PathBuf, line: u64, cause: io::Error },
    #[error(
        "{} changed while it was played. What was played is in the store, under the file as it \
         was; run again to play the file as it is now.",
        path.display()
    )]
    Changed { path: PathBuf },
}

/// What the CSV reader stumbled over. `line` is the one that it was reading.
pub fn unreadable(path: &Path, line: u64, error: csv::Error) -> InputError {
    let path = path.to_owned();
    let malformed = |path, column: Option<&str>, why: &str| InputError::Malformed {
        path,
        line,
        column: column.unwrap_or("unknown").to_owned(),
        why: why.to_owned(),
    };
    match error.into_kind() {
        csv::ErrorKind::Utf8 { err, .. } => {
            let column = COLUMNS.get(err.field()).copied();
            malformed(
                path,
                column,
                "the text is not UTF-8; convert the file, for example with iconv",
            )
        }
        csv::ErrorKind::Io(cause) if is_too_long(&cause) => {
            let why = "the line goes on for more than 64 KiB; a quotation mark may never be closed";
            malformed(path, None, why)
        }
        csv::ErrorKind::Io(cause) => InputError::Damaged { path, line, cause },
        other => malformed(path, None, &format!("{other:?}")),
    }
}

fn is_too_long(error: &io::Error) -> bool {
    error.get_ref().and_then(|cause| cause.downcast_ref::<TooLong>()).is_some()
}
