//! Events one by one, of a stream or of all, read a page at a time and one page ahead.

mod place;
mod typed;

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use foldlog_core::{Error, ErrorKind, EventSet, Filter, RawEvent, StreamName, Token};
use futures_util::Stream;
use tokio::task::JoinSet;

use crate::store::EventStore;
use place::{Fetched, Place};

pub use typed::TypedEvents;

/// How many events are read at once.
const PAGE_EVENTS: u32 = 1_000;

/// The events of a stream, or all settled ones of a filter, to the end that is found there.
///
/// They are read in pages of at most 1,000 events and about 4 MiB. The next page is fetched when half
/// of the present one was taken, and no further one before that page is begun: two pages are in memory
/// at most, however slowly they are taken, and no connection is held between pages but the session of
/// a reader of all events. Take them with [`next`](Self::next), page by page with
/// [`next_page`](Self::next_page), or as a [`Stream`].
///
/// Nothing is read before the first is asked for. Each page is read for itself: what is appended
/// meanwhile behind the last one belongs to it. It ends when a page reaches the end; a
/// [`Subscription`](crate::Subscription) waits there.
///
/// Dropping a future of it loses nothing: the next call goes on behind the last event that was taken.
/// After an error it does so too, with another connection. Dropping it breaks off what is being
/// fetched.
///
/// # Panics
///
/// When it is polled outside of a tokio runtime.
#[must_use = "nothing is read before the first event is asked for"]
pub struct Events {
    store: EventStore,
    // Behind the last event that was fetched.
    place: Place,
    ready: VecDeque<RawEvent>,
    // Fetch ahead when no more than these are left.
    low: usize,
    // At most one, and it ends with this.
    fetching: JoinSet<Result<Fetched, Error>>,
    left: u64,
}

impl EventStore {
    /// The events of a stream after a version; 0 for all of them. A stream that does not exist has
    /// none.
    pub fn stream_events(&self, stream: &StreamName, after_version: u64) -> Events {
        Events::from(self, Place::forward(stream, after_version))
    }

    /// The events of a stream before a version, from the last down; `u64::MAX` for all of them. It
    /// holds what was there when its first page was read.
    pub fn stream_events_back(&self, stream: &StreamName, before_version: u64) -> Events {
        Events::from(self, Place::back(stream, before_version))
    }

    /// The settled events of a filter after the event of a token, or from the first one on: of some
    /// categories, of some types, of one slice class. It ends with what is settled when it gets
    /// there, and reads on a session of its own.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Foreign`] if the token belongs to another store.
    pub fn settled_events(&self, filter: Filter, after: Option<&Token>) -> Result<Events, Error> {
        let after = after.map(|token| token.position_in(self.id(), 0)).transpose()?;
        Ok(Events::from(self, Place::settled(filter, after.unwrap_or_default())))
    }
}

impl Events {
    fn from(store: &EventStore, place: Place) -> Self {
        Self {
            store: store.clone(),
            place,
            ready: VecDeque::new(),
            low: 0,
            fetching: JoinSet::new(),
            left: u64::MAX,
        }
    }

    /// No more than so many, from here on.
    ///
    /// Ask for it first: it does not take back what was fetched already.
    pub fn limit(mut self, events: u64) -> Self {
        self.left = events;
        self
    }

    /// The same, decoded.
    pub fn typed<E: EventSet>(self) -> TypedEvents<E> {
        TypedEvents::new(self)
    }

    /// The next event; `None` at the end.
    ///
    /// Dropping the future loses nothing.
    ///
    /// # Errors
    ///
    /// Those of the database, and of [`Reader::page`](foldlog_core::Reader::page) for settled events.
    pub async fn next(&mut self) -> Option<Result<RawEvent, Error>> {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    /// The events that are there, or the next page; `None` at the end.
    ///
    /// Dropping the future loses nothing.
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next).
    pub async fn next_page(&mut self) -> Option<Result<Vec<RawEvent>, Error>> {
        poll_fn(|cx| {
            Poll::Ready(match ready!(self.poll_ready(cx)) {
                None => None,
                Some(Err(error)) => Some(Err(error)),
                Some(Ok(())) => {
                    let page = std::mem::take(&mut self.ready);
                    self.fetch();
                    Some(Ok(page.into()))
                }
            })
        })
        .await
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<RawEvent, Error>>> {
        if let Some(Err(error)) = ready!(self.poll_ready(cx)) {
            return Poll::Ready(Some(Err(error)));
        }
        let event = self.ready.pop_front();
        if self.ready.len() <= self.low {
            self.fetch();
        }
        Poll::Ready(event.map(Ok))
    }

    /// Ready when an event lies ready, or when there will be none: `None`.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<(), Error>>> {
        while self.ready.is_empty() {
            self.fetch();
            let Some(fetched) = ready!(self.fetching.poll_join_next(cx)) else {
                return Poll::Ready(None);
            };
            match fetched {
                Ok(Ok(fetched)) => self.take_in(fetched),
                Ok(Err(error)) => return Poll::Ready(Some(Err(error))),
                Err(failed) => {
                    let kind =
                        if failed.is_panic() { ErrorKind::Internal } else { ErrorKind::Stopped };
                    let error = Error::new(kind, "the fetch of a page of events was broken off");
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
        Poll::Ready(Some(Ok(())))
    }

    /// Has the next page fetched, unless one is under way or there is none.
    fn fetch(&mut self) {
        if !self.fetching.is_empty() || self.left == 0 || self.place.is_end() {
            return;
        }
        let limit = u32::try_from(self.left).unwrap_or(PAGE_EVENTS).min(PAGE_EVENTS);
        let fetched = self.place.take().fetch(self.store.clone(), limit);
        self.fetching.spawn(fetched);
    }

    fn take_in(&mut self, Fetched { events, place }: Fetched) {
        self.left = self.left.saturating_sub(events.len() as u64);
        self.low = events.len() / 2;
        self.ready = events.into();
        self.place = place;
    }
}

impl Stream for Events {
    type Item = Result<RawEvent, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_event(cx)
    }
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Events")
            .field("place", &self.place)
            .field("ready", &self.ready.len())
            .finish_non_exhaustive()
    }
}
