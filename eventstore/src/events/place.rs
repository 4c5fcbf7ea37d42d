//! Where a reader of pages stands.

use foldlog_core::{Error, Filter, Position, RawEvent, Reader, Source, StreamName};

use crate::store::EventStore;

/// Where the next page begins. A copy without a session stays behind while one is fetched, for the
/// fetch that fails.
pub(super) struct Place {
    at: At,
    ended: bool,
    // What it knows of the settled order beyond the last event ends with it.
    reader: Option<(Box<dyn Reader>, Position)>,
}

#[derive(Clone, Debug)]
enum At {
    Forward { stream: StreamName, after: u64, begun: bool },
    Back { stream: StreamName, before: u64 },
    Settled { filter: Filter, after: Position },
}

/// A page, and where the next one begins.
pub(super) struct Fetched {
    pub(super) events: Vec<RawEvent>,
    pub(super) place: Place,
}

impl Place {
    pub(super) fn forward(stream: &StreamName, after: u64) -> Self {
        Self::new(At::Forward { stream: stream.clone(), after, begun: false })
    }

    pub(super) fn back(stream: &StreamName, before: u64) -> Self {
        Self::new(At::Back { stream: stream.clone(), before })
    }

    pub(super) fn settled(filter: Filter, after: Position) -> Self {
        Self::new(At::Settled { filter, after })
    }

    fn new(at: At) -> Self {
        Self { at, ended: false, reader: None }
    }

    pub(super) fn is_end(&self) -> bool {
        self.ended
    }

    /// The place with its reader; the place without one stays behind.
    pub(super) fn take(&mut self) -> Self {
        Self { at: self.at.clone(), ended: self.ended, reader: self.reader.take() }
    }

    pub(super) async fn fetch(mut self, store: EventStore, limit: u32) -> Result<Fetched, Error> {
        let (events, more) = match &mut self.at {
            At::Forward { stream, after, begun } => {
                // Only a first page may be short enough to be read with those of others.
                let page = if *begun {
                    let mut conn = store.acquire().await?;
                    store.read_stream_in(&mut conn, stream, *after, limit).await?
                } else {
                    store.read_stream(stream, *after, limit).await?
                };
                *begun = true;
                *after = page.events.last().map_or(*after, |event| event.version);
                (page.events, page.more)
            }
            At::Back { stream, before } => {
                let page = store.read_stream_back(stream, *before, limit).await?;
                *before = page.events.last().map_or(*before, |event| event.version);
                (page.events, page.more)
            }
            At::Settled { filter, after } => {
                let (mut reader, seen) = match self.reader.take() {
                    Some(reader) => reader,
                    None => (store.reader().await?, *after),
                };
                let page = reader.page(filter, seen, limit).await?;
                *after = page.events.last().map_or(*after, RawEvent::position);
                self.reader = page.more.then_some((reader, page.through));
                (page.events, page.more)
            }
        };
        self.ended = !more;
        Ok(Fetched { events, place: self })
    }
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Place").field("at", &self.at).field("ended", &self.ended).finish()
    }
}
