//! What becomes of a batch that fails: halves, down to the event that is to blame.

use std::ops::Range;
use std::time::Duration;

use foldlog_core::RawEvent;

use super::{End, Session, Worker};
use crate::stage::Failure;

/// How often a single event is tried before the class stops at it.
const ATTEMPTS_MAX: u32 = 3;
const PAUSE: Duration = Duration::from_millis(100);

impl Worker {
    /// Applies a batch; one that fails is halved until the failing event stands alone. Everything
    /// before it is committed, nothing behind it is touched.
    pub(super) async fn apply_all(
        &mut self,
        session: &mut Session,
        events: &[RawEvent],
    ) -> Result<Option<End>, Failure> {
        let mut attempts = 0;
        // Ranges still to apply, the next one last.
        let mut ranges: Vec<Range<usize>> = Vec::new();
        ranges.push(0..events.len());
        while let Some(range) = ranges.pop() {
            let Some(part) = events.get(range.clone()) else { continue };
            let Some(last) = part.last() else { continue };
            let is_end = range.end == events.len();
            let through = if is_end { session.seen } else { last.position() };
            match self.attempt(session, part, through).await {
                Ok(()) => attempts = 0,
                Err(Failure::Poison(why)) if part.len() == 1 => {
                    // Whose class it is no longer may fail for that very reason: its table is gone.
                    self.claim.refresh(&mut session.conn).await?;
                    attempts += 1;
                    if attempts == ATTEMPTS_MAX {
                        let why = format!("{}: {why}", last.place());
                        return Ok(Some(End::Stopped { at: last.position(), why }));
                    }
                    tokio::time::sleep(PAUSE).await;
                    ranges.push(range);
                }
                Err(Failure::Poison(why)) => {
                    tracing::debug!(projection = self.registered.name(), why, "a batch is halved");
                    let middle = range.start + part.len() / 2;
                    ranges.push(middle..range.end);
                    ranges.push(range.start..middle);
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(None)
    }
}
