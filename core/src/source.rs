//! Sources: where a consumer reads settled events from.

use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;

use async_trait::async_trait;

use crate::error::Error;
use crate::event::RawEvent;
use crate::position::Position;
use crate::slice::SliceClass;
use crate::stream::StreamName;
use crate::token::StoreId;

/// A future behind a pointer, so that a trait can return it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Which events a consumer reads.
#[derive(Clone, Debug)]
pub struct Filter {
    /// The categories; empty for all.
    pub categories: Cow<'static, [&'static str]>,
    /// The names of the event types; empty for all.
    pub kinds: Cow<'static, [&'static str]>,
    /// The slices.
    pub class: SliceClass,
}

impl Filter {
    /// Every event.
    #[must_use]
    pub fn all() -> Self {
        Self { categories: Cow::Borrowed(&[]), kinds: Cow::Borrowed(&[]), class: SliceClass::ALL }
    }

    /// The events of these categories only.
    #[must_use]
    pub fn categories(mut self, categories: impl Into<Cow<'static, [&'static str]>>) -> Self {
        self.categories = categories.into();
        self
    }

    /// The events of these types only, by their stored names.
    #[must_use]
    pub fn kinds(mut self, kinds: impl Into<Cow<'static, [&'static str]>>) -> Self {
        self.kinds = kinds.into();
        self
    }

    /// The events of these slices only.
    #[must_use]
    pub fn class(mut self, class: SliceClass) -> Self {
        self.class = class;
        self
    }
}

/// A piece of the settled order.
#[derive(Clone, Debug)]
pub struct Page {
    /// The events, by position.
    pub events: Vec<RawEvent>,
    /// Every event of the filter up to here, beyond the asked position, is in this page.
    pub through: Position,
    /// Whether the page ended at its limit, so that more is there to read at once.
    pub more: bool,
}

/// Where readers of settled events come from, and what wakes them.
#[async_trait]
pub trait Source: Send + Sync {
    /// Which life of which store the positions belong to.
    fn store(&self) -> StoreId;

    /// A reader with a session of its own.
    ///
    /// # Errors
    ///
    /// Those of the database.
    async fn reader(&self) -> Result<Box<dyn Reader>, Error>;

    /// Resolves when there may be something new: soon after an append in this process, a little
    /// later for one elsewhere, and at the latest after the polling interval. It may resolve for
    /// nothing. Only appends after the call count, so register it before the last look:
    /// `let woken = source.woken(); if nothing(page) { woken.await }`.
    fn woken(&self) -> BoxFuture<'static, ()>;

    /// Who keeps the settled position from moving, in words; `None` if nobody does.
    ///
    /// # Errors
    ///
    /// Those of the database.
    async fn blocker(&self) -> Result<Option<String>, Error>;
}

/// Settled events in the order of their positions.
///
/// # Contract
///
/// - **Complete**: an event that matches the filter, with a position above `after` and not above
///   [`Page::through`], is in the page. No event that commits later has a position so low.
/// - **Ordered**: positions rise within a page and from page to page; they rise with the version
///   within a stream.
/// - **Stateless**: the same call gives the same events again, or more. The caller owns its place.
/// - `through` is never below `after`.
/// - A place at which no event stands is good for the life of the reader only: after a crash of the
///   server, positions that were drawn in vain may be drawn again. After an error drop the reader,
///   and begin a new one at the stored checkpoint, or at the last event that was delivered.
#[async_trait]
pub trait Reader: Send {
    /// The next events after a position, at most `limit`.
    ///
    /// Dropping the future spoils the reader: drop it too.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Foreign`](crate::ErrorKind::Foreign) if `after` lies beyond the end of the log:
    /// the log was reset or restored. Otherwise those of the database.
    async fn page(&mut self, filter: &Filter, after: Position, limit: u32) -> Result<Page, Error>;
}

/// The end of one stream, committed but perhaps not settled yet.
///
/// # Contract
///
/// The page holds, in order of version, the committed events of the stream with a version above
/// `after_version` and a position above `after`, at most `limit`, without gaps from the first.
#[async_trait]
pub trait StreamTail: Send + Sync {
    /// The events of a stream beyond a version and a position.
    ///
    /// # Errors
    ///
    /// Those of the database.
    async fn tail(
        &self,
        stream: &StreamName,
        after_version: u64,
        after: Position,
        limit: u32,
    ) -> Result<Vec<RawEvent>, Error>;
}
