//! The reader with which waits look ahead of a checkpoint.

use std::sync::{Arc, Mutex, PoisonError};

use foldlog_core::{Error, Filter, Page, Position, Reader, Source};
use tokio::sync;

/// The shared reader of the waits of a process. Waits look one after the other, with one session.
pub(crate) struct Ahead(Mutex<Option<Looks>>);

/// The reader as one wait has it: the session ends with the last who has it. Replaced after an error.
#[derive(Clone, Default)]
pub(super) struct Looks(Arc<sync::Mutex<Option<Box<dyn Reader>>>>);

impl Ahead {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Some(Looks::default())))
    }

    /// The reader for one wait: the shared one, or once that is closed one of its own.
    pub(super) fn looks(&self) -> Looks {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone().unwrap_or_default()
    }

    /// Lets go of the reader for good. Waits under way keep it to their end, and nobody waits for
    /// them here; later ones leave nothing behind.
    pub(crate) fn close(&self) {
        drop(self.0.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

impl Looks {
    /// The next event after a position, as far as is settled.
    pub(super) async fn next(
        &self,
        source: &dyn Source,
        filter: &Filter,
        after: Position,
    ) -> Result<Page, Error> {
        let mut look = self.0.lock().await;
        // Taken out, so that a dropped future drops the spoilt reader with it.
        if let Some(mut reader) = look.take() {
            match reader.page(filter, after, 1).await {
                Ok(page) => {
                    *look = Some(reader);
                    return Ok(page);
                }
                // Its connection may have died of age while nobody waited.
                Err(error) if error.is_retryable() => {}
                Err(error) => return Err(error),
            }
        }
        let mut reader = source.reader().await?;
        let page = reader.page(filter, after, 1).await?;
        *look = Some(reader);
        Ok(page)
    }
}
