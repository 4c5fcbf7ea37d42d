//! A reader of settled events that fetches the next page while the present one is dealt with.

use foldlog_core::{Error, ErrorKind, Filter, Page, Position, Reader};
use tokio::task::JoinSet;

type Fetched = (Box<dyn Reader>, Result<Page, Error>);

/// The settled events of a filter, page after page: server and consumer work at the same time.
///
/// Two pages are in memory at most: the one that was taken, and the one behind it if there is more to
/// read. Dropping it breaks off what is being fetched.
pub struct ReadAhead {
    filter: Filter,
    limit: u32,
    // Behind the last page that was fetched.
    seen: Position,
    // None while it is fetching, and after an error.
    reader: Option<Box<dyn Reader>>,
    // At most one, and it ends with this.
    fetching: JoinSet<Fetched>,
}

impl ReadAhead {
    /// Begins after a position, with pages of at most so many events.
    #[must_use]
    pub fn new(reader: Box<dyn Reader>, filter: Filter, after: Position, limit: u32) -> Self {
        Self { filter, limit, seen: after, reader: Some(reader), fetching: JoinSet::new() }
    }

    /// The next page; an empty one where there is nothing new. Only where [`Page::more`] is false there was
    /// nothing more when this was called. Dropping the future loses nothing. After
    /// an error drop it all: the reader is spoilt.
    ///
    /// # Errors
    ///
    /// Those of [`Reader::page`].
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub async fn page(&mut self) -> Result<Page, Error> {
        // What was fetched before this call says nothing of what came since: whoever would sleep on it
        // might sleep through a wake-up.
        let is_old = !self.fetching.is_empty();
        self.fetch();
        let (reader, page) = match self.fetching.join_next().await {
            Some(Ok(fetched)) => fetched,
            Some(Err(failed)) if failed.is_panic() => {
                return Err(Error::new(ErrorKind::Internal, "a read of settled events panicked"));
            }
            Some(Err(_)) | None => {
                return Err(Error::new(ErrorKind::Stopped, "a read of settled events was ended"));
            }
        };
        let mut page = page?;
        self.reader = Some(reader);
        self.seen = page.through;
        if page.more {
            self.fetch();
        }
        page.more |= is_old;
        Ok(page)
    }

    fn fetch(&mut self) {
        let Some(mut reader) = self.reader.take() else { return };
        let (filter, after, limit) = (self.filter.clone(), self.seen, self.limit);
        self.fetching.spawn(async move {
            let page = reader.page(&filter, after, limit).await;
            (reader, page)
        });
    }
}

impl std::fmt::Debug for ReadAhead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReadAhead")
            .field("filter", &self.filter)
            .field("seen", &self.seen)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::task::{Context, Poll, Waker};

    use async_trait::async_trait;

    use super::*;

    /// Pages that hold nothing, up to an end. At 99 it fails.
    struct Counting {
        asked: Arc<AtomicU64>,
        end: u64,
    }

    #[async_trait]
    impl Reader for Counting {
        async fn page(&mut self, _: &Filter, after: Position, limit: u32) -> Result<Page, Error> {
            self.asked.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            if after.get() == 99 {
                return Err(Error::new(ErrorKind::Unavailable, "gone"));
            }
            let through = (after.get() + u64::from(limit)).min(self.end);
            let more = through < self.end;
            Ok(Page { events: Vec::new(), through: Position::new(through), more })
        }
    }

    fn ahead(end: u64, after: u64) -> (ReadAhead, Arc<AtomicU64>) {
        let asked = Arc::new(AtomicU64::new(0));
        let reader = Box::new(Counting { asked: asked.clone(), end });
        (ReadAhead::new(reader, Filter::all(), Position::new(after), 10), asked)
    }

    async fn rest() {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn one_page_is_fetched_ahead_and_none_beyond_the_end() {
        let (mut ahead, asked) = ahead(25, 0);
        rest().await;
        assert_eq!(asked.load(Ordering::SeqCst), 0, "nothing before it is asked for");
        for (through, fetched, more) in
            [(10, 2, true), (20, 3, true), (25, 3, true), (25, 4, false)]
        {
            let page = ahead.page().await.unwrap();
            assert_eq!((page.through.get(), page.more), (through, more));
            rest().await;
            assert_eq!(asked.load(Ordering::SeqCst), fetched, "behind {through}");
        }
    }

    #[tokio::test]
    async fn a_page_that_nobody_waited_for_is_not_lost() {
        let (mut ahead, _) = ahead(25, 0);
        for through in [10, 20, 25] {
            let page = loop {
                let mut once = Context::from_waker(Waker::noop());
                if let Poll::Ready(page) = pin!(ahead.page()).poll(&mut once) {
                    break page;
                }
                rest().await;
            };
            assert_eq!(page.unwrap().through.get(), through);
        }
    }

    #[tokio::test]
    async fn after_an_error_there_is_no_further_page() {
        let (mut ahead, asked) = ahead(200, 89);
        assert_eq!(ahead.page().await.unwrap().through.get(), 99);
        assert_eq!(ahead.page().await.unwrap_err().kind(), ErrorKind::Unavailable);
        assert_eq!(ahead.page().await.unwrap_err().kind(), ErrorKind::Stopped);
        assert_eq!(asked.load(Ordering::SeqCst), 2);
    }
}
