//! Reads of streams that are marked.

use std::ops::Range;

use foldlog_core::{Error, ErrorKind};
use tokio::time::timeout;

use super::{Marker, PATIENCE, marked_by};
use crate::book::stream_name;
use crate::domain::{AccountId, told};
use crate::history::{Found, StreamRead};

/// Streams that others write to, and that are truncated meanwhile. The others are loaded whole.
pub(crate) const TRUNCATED: Range<u32> = 40..150;
const EVENTS_MAX: u32 = 4_000;

impl Marker {
    pub(super) async fn look(&mut self) {
        let account = match self.rng.u8(..) {
            0..100 => AccountId(format!("cold{}", self.rng.u32(TRUNCATED))),
            _ => self.own(),
        };
        let begun = self.book.recorder.now();
        match timeout(PATIENCE, self.read(&account)).await {
            Ok(Ok(Some(found))) => {
                let (stream, ended) = (self.book.account(&account), self.book.recorder.now());
                let read = StreamRead { stream, begun, ended, found };
                self.book.recorder.write().reads.push(read);
            }
            Ok(Err(error)) if !error.is_retryable() => {
                self.book.surprise(format!("a read of a stream failed: {error:?}"));
            }
            _ => {}
        }
    }

    async fn read(&mut self, account: &AccountId) -> Result<Option<Found>, Error> {
        let name = stream_name(account);
        let backward = self.rng.u8(..) < 80;
        let page = match backward {
            true => self.store.read_stream_back(&name, u64::MAX, EVENTS_MAX).await,
            false => self.store.read_stream(&name, 0, EVENTS_MAX).await,
        };
        let mut page = match page {
            Ok(page) => page,
            Err(error) if error.kind() == ErrorKind::Tombstoned => {
                return Ok(Some(Found::Tombstoned { by: marked_by(&error) }));
            }
            Err(error) => return Err(error),
        };
        if page.more {
            return Ok(None);
        }
        if backward {
            page.events.reverse();
        }
        let (first, summary) =
            page.cut.map_or((1, false), |cut| (cut.first_version, cut.is_summary));
        let events = page.events.iter();
        let events = events.map(|raw| (raw.version, told(raw).map_or(0, |told| told.mark)));
        let (version, events) = (page.version, events.collect());
        Ok(Some(Found::Events { first, version, summary, events }))
    }

    /// The present version of a stream, unless it can't be read.
    pub(super) async fn version(&self, account: &AccountId) -> Option<u64> {
        let name = stream_name(account);
        let page = timeout(PATIENCE, self.store.read_stream(&name, u64::from(u32::MAX), 1)).await;
        Some(page.ok()?.ok()?.version)
    }
}
