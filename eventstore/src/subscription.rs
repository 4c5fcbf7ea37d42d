//! Subscriptions: catch up, then follow.

use foldlog_core::{Error, EventSet, Filter, Page, Position, Recorded, Source, Token};
use foldlog_pg::ReadAhead;

use crate::store::EventStore;

const PAGE_EVENTS: u32 = 1_000;

/// Follows the settled order from a place on, for as long as you ask.
///
/// The next page is fetched while you deal with the present one, if there is more to read: two pages of
/// at most 1,000 events and about 4 MiB are in memory.
///
/// It keeps no checkpoint: who needs one stores the token of the last event it has dealt with, in
/// the transaction that deals with it.
pub struct Subscription {
    store: EventStore,
    filter: Filter,
    reader: Option<ReadAhead>,
    // The last event delivered: where the next reader begins.
    delivered: Position,
}

impl EventStore {
    /// A subscription to the settled events of a filter, from the first on.
    #[must_use]
    pub fn subscribe(&self, filter: Filter) -> Subscription {
        Subscription { store: self.clone(), filter, reader: None, delivered: Position::START }
    }

    /// A subscription to the events of `E`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`](foldlog_core::ErrorKind::Invalid) if `E` names no category.
    pub fn subscribe_to<E: EventSet>(&self) -> Result<Subscription, Error> {
        Ok(self.subscribe(Filter::all().categories(Self::categories_of::<E>()?)))
    }
}

impl Subscription {
    /// Begins after the event of a token instead.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Foreign`](foldlog_core::ErrorKind::Foreign) if it belongs to another store.
    pub fn after(mut self, token: &Token) -> Result<Self, Error> {
        self.delivered = token.position_in(self.store.id(), 0)?;
        Ok(self)
    }

    /// The next events: at least one, as soon as there are any.
    ///
    /// Dropping the future loses nothing. After an error it may be called again: it goes on behind
    /// the last event it delivered, with a new connection.
    ///
    /// # Errors
    ///
    /// Those of [`Reader::page`](foldlog_core::Reader::page) and of the connection.
    pub async fn next(&mut self) -> Result<Page, Error> {
        loop {
            let woken = self.store.woken();
            let page = self.page().await?;
            if !page.events.is_empty() {
                return Ok(page);
            }
            if !page.more {
                woken.await;
            }
        }
    }

    /// The same, decoded.
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next); and [`ErrorKind::Decode`](foldlog_core::ErrorKind::Decode), naming
    /// the event: the page is delivered again, from its first event.
    pub async fn next_typed<E: EventSet>(&mut self) -> Result<Vec<Recorded<E>>, Error> {
        let before = self.delivered;
        let page = self.next().await?;
        let events: Result<Vec<_>, Error> =
            page.events.iter().map(foldlog_core::RawEvent::typed).collect();
        if events.is_err() {
            // Nothing of the page reached the caller: deliver it again, from its first event.
            (self.delivered, self.reader) = (before, None);
        }
        events
    }

    async fn page(&mut self) -> Result<Page, Error> {
        let ahead = match &mut self.reader {
            Some(ahead) => ahead,
            None => {
                let (reader, filter) = (self.store.reader().await?, self.filter.clone());
                self.reader.insert(ReadAhead::new(reader, filter, self.delivered, PAGE_EVENTS))
            }
        };
        let page = match ahead.page().await {
            Ok(page) => page,
            Err(error) => {
                self.reader = None;
                return Err(error);
            }
        };
        if let Some(last) = page.events.last() {
            self.delivered = last.position();
        }
        Ok(page)
    }
}

impl std::fmt::Debug for Subscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subscription")
            .field("filter", &self.filter)
            .field("delivered", &self.delivered)
            .finish_non_exhaustive()
    }
}
