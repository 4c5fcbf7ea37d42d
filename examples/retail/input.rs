//! The file that is played: found, opened, checked, and read line by line.

mod content;
mod error;

use std::path::{Path, PathBuf};

use csv::{Reader, ReaderBuilder, StringRecord, Terminator};

use crate::line::Line;
use content::Content;
pub use error::InputError;
use error::unreadable;

const COLUMNS: [&str; 8] = [
    "InvoiceNo",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "UnitPrice",
    "CustomerID",
    "Country",
];
const GZIP_HINT: &str = ", plain or gzip";

const WHOLE: &str = "../shared/data/online-retail.csv.gz";
const FIRST_MONTH: &str = "examples/data/online-retail-2010-12.csv.gz";

/// A file of lines.
#[derive(Clone, Debug)]
pub struct Input {
    path: PathBuf,
}

/// What a first reading of the whole file found. Every line can be played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survey {
    pub lines: u64,
    pub sha256: String,
}

/// The lines of a file, one after the other: the file is never in memory.
pub struct Records {
    path: PathBuf,
    reader: Reader<Content>,
}

impl Input {
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, InputError> {
        let path = path.into();
        match path.metadata() {
            Ok(found) if found.is_file() => Ok(Self { path }),
            Ok(_) => Err(InputError::NotAFile { path }),
            Err(cause) => Err(InputError::Unopened { path, cause }),
        }
    }

    /// The whole year if it lies beside the repository, else the first month, which ships with it.
    pub fn found() -> Result<Self, InputError> {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
        let whole = [PathBuf::from(WHOLE), repository.join(WHOLE)];
        let found = whole.into_iter().find(|path| path.is_file());
        Self::open(found.unwrap_or_else(|| repository.join(FIRST_MONTH)))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads and checks every line, so that a file with a bad one is refused before any is played.
    pub fn survey(&self) -> Result<Survey, InputError> {
        let mut records = self.records()?;
        let mut record = StringRecord::new();
        let mut lines = 0;
        while let Some(number) = records.read(&mut record)? {
            records.line(number, &record)?;
            lines += 1;
        }
        Ok(Survey { lines, sha256: records.into_sha256()? })
    }

    /// The lines from the first on. The line with the names of the columns is checked and passed.
    pub fn records(&self) -> Result<Records, InputError> {
        let path = self.path.clone();
        let content = match Content::open(&path) {
            Ok(content) => content,
            Err(cause) => return Err(InputError::Unopened { path, cause }),
        };
        let gzip = content.is_gzip();
        let reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            // Not the default, which loses count of the lines of a file from Windows.
            .terminator(Terminator::Any(b'\n'))
            .from_reader(content);
        let mut records = Records { path, reader };
        let mut header = StringRecord::new();
        let why = match records.read(&mut header) {
            Ok(Some(_)) if header == COLUMNS[..] => return Ok(records),
            Ok(Some(_)) => {
                let line = header.iter().collect::<Vec<_>>().join(",");
                format!("it begins with {}", excerpt(&line))
            }
            Ok(None) => "it is empty".to_owned(),
            Err(InputError::Damaged { path, line, cause }) if gzip => {
                return Err(InputError::Damaged { path, line, cause });
            }
            Err(_) => "it does not begin with a line of text".to_owned(),
        };
        Err(InputError::NotCsv { path: records.path, why })
    }
}

impl Records {
    /// Reads the next line into `record`, and says its number: the one an editor shows.
    pub fn read(&mut self, record: &mut StringRecord) -> Result<Option<u64>, InputError> {
        loop {
            let begins = self.reader.position().line();
            self.reader.get_mut().line_ended();
            match self.reader.read_record(record) {
                Ok(true) => {}
                Ok(false) => return Ok(None),
                Err(error) => return Err(unreadable(&self.path, begins, error)),
            }
            let last = record.iter().next_back().unwrap_or_default();
            let unclosed = last.ends_with('\n');
            if last.ends_with('\r') {
                // The line end of a file from Windows.
                let text = last.trim_end_matches('\r').to_owned();
                record.truncate(record.len() - 1);
                record.push_field(&text);
            }
            if record.iter().all(str::is_empty) && record.len() == 1 {
                continue;
            }
            // The reader stands behind the line, and has passed empty lines before it.
            let within: usize = record.iter().map(|field| field.matches('\n').count()).sum();
            let within = within as u64 + u64::from(!unclosed);
            return Ok(Some(self.reader.position().line().saturating_sub(within)));
        }
    }

    /// The line that was read, with its columns understood.
    pub fn line(&self, number: u64, record: &StringRecord) -> Result<Line, InputError> {
        let malformed = |column: &str, why: String| InputError::Malformed {
            path: self.path.clone(),
            line: number,
            column: column.to_owned(),
            why,
        };
        let column = |place| COLUMNS.get(place).or(COLUMNS.last()).copied().unwrap_or_default();
        // First of all: a mark that is not closed spoils the number of columns too.
        if let Some(place) = record.iter().position(|text| text.chars().any(char::is_control)) {
            let why = "a control character or a line end within the text; a quotation mark may \
                       never be closed";
            return Err(malformed(column(place), why.to_owned()));
        }
        if record.len() != COLUMNS.len() {
            let why = format!("the line has {} columns instead of {}", record.len(), COLUMNS.len());
            return Err(malformed(column(record.len()), why));
        }
        let mut fields = [""; COLUMNS.len()];
        fields.iter_mut().zip(record).for_each(|(field, text)| *field = text);
        Line::read(number, fields).map_err(|(column, found, wanted)| {
            malformed(column, format!("{} is not {wanted}", excerpt(found)))
        })
    }

    /// The SHA-256 of the file as it was read, to its very end.
    pub fn into_sha256(self) -> Result<String, InputError> {
        let line = self.reader.position().line();
        let path = self.path;
        self.reader.into_inner().into_sha256().map_err(|cause| InputError::Damaged {
            path,
            line,
            cause,
        })
    }
}

/// The beginning of a text, fit for a terminal.
fn excerpt(text: &str) -> String {
    let short: String = text.chars().take(40).collect();
    let dots = if short.len() < text.len() { "…" } else { "" };
    format!("{short:?}{dots}")
}

#[cfg(test)]
#[path = "input/tests.rs"]
mod tests;
