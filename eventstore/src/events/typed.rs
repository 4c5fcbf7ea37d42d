//! Events one by one, decoded.

use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use foldlog_core::{Error, EventSet, RawEvent, Recorded};
use futures_util::Stream;

use super::Events;

/// As [`Events`], decoded.
///
/// An event that can't be decoded is never passed over: it is the same error each time, until this is
/// dropped.
#[must_use = "nothing is read before the first event is asked for"]
pub struct TypedEvents<E> {
    events: Events,
    stuck: Option<RawEvent>,
    decodes: PhantomData<fn() -> E>,
}

impl<E: EventSet> TypedEvents<E> {
    pub(super) fn new(events: Events) -> Self {
        Self { events, stuck: None, decodes: PhantomData }
    }

    /// The next event; `None` at the end.
    ///
    /// Dropping the future loses nothing.
    ///
    /// # Errors
    ///
    /// As [`Events::next`]; and [`ErrorKind::Decode`](foldlog_core::ErrorKind::Decode), naming the
    /// event.
    pub async fn next(&mut self) -> Option<Result<Recorded<E>, Error>> {
        std::future::poll_fn(|cx| self.poll_typed(cx)).await
    }

    fn poll_typed(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Recorded<E>, Error>>> {
        let raw = match self.stuck.take() {
            Some(raw) => raw,
            None => match ready!(self.events.poll_event(cx)) {
                Some(Ok(raw)) => raw,
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            },
        };
        let typed = raw.typed();
        if typed.is_err() {
            self.stuck = Some(raw);
        }
        Poll::Ready(Some(typed))
    }
}

impl<E: EventSet> Stream for TypedEvents<E> {
    type Item = Result<Recorded<E>, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_typed(cx)
    }
}

impl<E> std::fmt::Debug for TypedEvents<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TypedEvents").field("events", &self.events).finish_non_exhaustive()
    }
}
