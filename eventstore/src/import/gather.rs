//! Taking in the input: every event is checked, counted and digested, and put into a batch.

use std::pin::Pin;
use std::time::SystemTime;

use foldlog_core::{Error, ErrorKind, Metadata};
use futures_util::{Stream, StreamExt as _};
use sha2::{Digest as _, Sha256};

use crate::import::ImportError;
use crate::import::batch::{Batch, Kinds, content};
use crate::import::history::HistoricalEvent;
use crate::import::session::Opened;
use crate::limits::{METADATA_BYTES_MAX, check_json, check_tags};

/// The most bytes of a batch, give or take an event.
const BATCH_BYTES: usize = 8 << 20;
/// The most streams of a batch, and the most tags. Each stream that is new and each tag takes a lock, and
/// the server has a few thousand.
const BATCH_STREAMS: usize = 1_000;
const BATCH_TAGS: usize = 1_000;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The input, and how far it was taken in.
pub(super) struct Gather<'i, E> {
    input: Pin<Box<dyn Stream<Item = Result<HistoricalEvent, E>> + Send + 'i>>,
    kinds: Kinds,
    row: u64,
    begun: SystemTime,
    digest: [u8; 32],
    content: Vec<u8>,
    events_max: usize,
}

impl<'i, E: Into<BoxError>> Gather<'i, E> {
    pub(super) fn new(
        input: impl Stream<Item = Result<HistoricalEvent, E>> + Send + 'i,
        begun: SystemTime,
        events_max: usize,
    ) -> Self {
        Self {
            // It is asked again behind its end, for the batch that tells that it is over.
            input: Box::pin(input.fuse()),
            kinds: Kinds::default(),
            row: 0,
            begun,
            digest: [0; 32],
            content: Vec::new(),
            events_max: events_max.max(1),
        }
    }

    /// Passes over what is stored already, and makes sure that it is the same.
    pub(super) async fn pass_over(
        &mut self,
        name: &str,
        opened: &Opened,
    ) -> Result<(), ImportError> {
        let done = opened.done;
        let differs =
            |difference: String| ImportError::Differs { name: name.to_owned(), done, difference };
        let mut last = None;
        while self.row < done {
            let Some(event) = self.next().await? else {
                return Err(differs(format!("this input ends after {}", self.row)));
            };
            // What differs may also be at fault; that it differs is said first, below.
            let id = event.stored_id();
            content(&mut self.content, &event, id, self.begun)
                .ok_or_else(|| self.refused(&event, at_no_time()))?;
            self.digest = self.digested(&event);
            last = Some((event, id));
        }
        let Some((event, id)) = last else { return Ok(()) };
        let here = format!("event {} of stream {}", event.version, event.stream);
        match &opened.last {
            None => Err(differs(format!(
                "its last one, in this input {here}, is not in the store any more"
            ))),
            Some(stored) if !stored.is(&event, id) => Err(differs(format!(
                "its last one is event {} of stream {}, in row {done} of this input stands {here}{}",
                stored.version,
                stored.stream,
                if stored.names(&event) { " with another id" } else { "" }
            ))),
            Some(_) if self.digest != *opened.digest => Err(differs(format!(
                "this input differs from them in some event up to row {done}, {here}"
            ))),
            Some(_) => Ok(()),
        }
    }

    /// The next batch; an empty one at the end.
    pub(super) async fn batch(&mut self) -> Result<Batch, ImportError> {
        let mut batch = Batch::new(self.row);
        while batch.len() < self.events_max
            && batch.size() < BATCH_BYTES
            && batch.streams.len() < BATCH_STREAMS
            && batch.tags.len() < BATCH_TAGS
        {
            let Some(event) = self.next().await? else { break };
            self.check(&event).map_err(|why| self.refused(&event, why))?;
            let id = event.stored_id();
            content(&mut self.content, &event, id, self.begun)
                .ok_or_else(|| self.refused(&event, at_no_time()))?;
            if let Some(end) = batch.end_of(&event.stream)
                && event.version != end + 1
            {
                return Err(ImportError::OutOfStep {
                    row: self.row,
                    version: event.version,
                    stream: event.stream,
                    end,
                    stored: false,
                });
            }
            self.digest = self.digested(&event);
            let kind = self.kinds.number(&event, &mut batch.new_kinds);
            batch.push(self.row, event, &self.content, kind);
        }
        (batch.done, batch.digest) = (self.row, self.digest);
        Ok(batch)
    }

    async fn next(&mut self) -> Result<Option<HistoricalEvent>, ImportError> {
        let next = self.input.next().await.transpose();
        let next =
            next.map_err(|source| ImportError::Input { row: self.row + 1, source: source.into() })?;
        self.row += u64::from(next.is_some());
        Ok(next)
    }

    /// What an append would refuse, is refused.
    fn check(&self, event: &HistoricalEvent) -> Result<(), Error> {
        let invalid = |message: &str| Err(Error::new(ErrorKind::Invalid, message));
        if event.version == 0 {
            return invalid("versions are counted from 1: number the stream anew");
        }
        if event.kind.is_empty() || event.kind.contains('\0') || event.kind.len() > 255 {
            return invalid("the name of an event type has 1 to 255 bytes, without NUL");
        }
        if event.schema_version == 0 || i32::try_from(event.schema_version).is_err() {
            return invalid("the version of a type's schema is counted from 1");
        }
        check_tags(&event.kind, event.tags.len())?;
        check_json("payload", &event.kind, event.payload.get())?;
        let Some(metadata) = &event.metadata else { return Ok(()) };
        check_json("metadata", &event.kind, metadata.get())?;
        if metadata.get().len() > METADATA_BYTES_MAX {
            return invalid("the metadata is over the limit of 16 KiB: store the bulk elsewhere");
        }
        // Readers decode it with every event.
        if serde_json::from_str::<Metadata>(metadata.get()).is_err() {
            return invalid(
                "the metadata is no object that foldlog could read: put what is yours under `user`",
            );
        }
        Ok(())
    }

    fn digested(&self, event: &HistoricalEvent) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.digest);
        // Each text with its length, so that no two contents run together.
        for text in [event.stream.tenant().as_str(), event.stream.as_str(), &*event.kind] {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        }
        hash.update(event.schema_version.to_be_bytes());
        for tag in &event.tags {
            hash.update((tag.as_str().len() as u64).to_be_bytes());
            hash.update(tag.as_str());
        }
        // How many tags stood there: the content must not pass for one.
        hash.update((event.tags.len() as u64).to_be_bytes());
        hash.update(&self.content);
        hash.finalize().into()
    }

    fn refused(&self, event: &HistoricalEvent, why: Error) -> ImportError {
        let (stream, version) = (event.stream.clone(), event.version);
        ImportError::Refused { row: self.row, stream, version, why }
    }
}

fn at_no_time() -> Error {
    Error::new(
        ErrorKind::Invalid,
        "its time is before 1970 or after 9999, and would not be read back as it is",
    )
}
