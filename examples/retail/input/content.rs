//! The bytes of a file: hashed as they are, then unpacked, then watched for lines without end.

use std::fs::File;
use std::io::{self, Read, Seek as _};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use sha2::{Digest as _, Sha256};

const GZIP: [u8; 2] = [0x1f, 0x8b];
/// No line of such a file is nearly as long. A file that is no CSV may have no line end at all, and
/// must not end up in memory.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// A line went on for longer than any line does.
#[derive(Debug, thiserror::Error)]
#[error("a line goes on for more than {} KiB", LINE_BYTES_MAX / 1024)]
pub struct TooLong;

/// The text of a file, which always ends with a line end.
pub struct Content {
    unpacked: Unpacked,
    since_line: usize,
    last: u8,
}

enum Unpacked {
    Plain(Hashed),
    Gzip(Box<MultiGzDecoder<Hashed>>),
}

struct Hashed {
    file: File,
    hash: Sha256,
}

impl Content {
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let mut magic = Vec::new();
        file.by_ref().take(GZIP.len() as u64).read_to_end(&mut magic)?;
        file.rewind()?;
        let hashed = Hashed { file, hash: Sha256::new() };
        let unpacked = if magic == GZIP {
            Unpacked::Gzip(Box::new(MultiGzDecoder::new(hashed)))
        } else {
            Unpacked::Plain(hashed)
        };
        Ok(Self { unpacked, since_line: 0, last: b'\n' })
    }

    pub fn is_gzip(&self) -> bool {
        matches!(self.unpacked, Unpacked::Gzip(_))
    }

    /// The next line begins: the watch on its length begins anew.
    pub fn line_ended(&mut self) {
        self.since_line = 0;
    }

    /// The SHA-256 of the whole file as it lies on the disk, in hexadecimal digits.
    pub fn into_sha256(self) -> io::Result<String> {
        let mut hashed = match self.unpacked {
            Unpacked::Plain(hashed) => hashed,
            Unpacked::Gzip(decoder) => decoder.into_inner(),
        };
        io::copy(&mut hashed, &mut io::sink())?;
        Ok(hashed.hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.since_line > LINE_BYTES_MAX {
            return Err(io::Error::other(TooLong));
        }
        let read = match &mut self.unpacked {
            Unpacked::Plain(hashed) => hashed.read(buffer),
            Unpacked::Gzip(decoder) => decoder.read(buffer),
        }?;
        self.since_line += read;
        if let Some(last) = read.checked_sub(1).and_then(|last| buffer.get(last)) {
            self.last = *last;
            return Ok(read);
        }
        match buffer.first_mut() {
            Some(end) if self.last != b'\n' => {
                *end = b'\n';
                self.last = b'\n';
                Ok(1)
            }
            _ => Ok(0),
        }
    }
}

impl Read for Hashed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        if let Some(read) = buffer.get(..read) {
            self.hash.update(read);
        }
        Ok(read)
    }
}
