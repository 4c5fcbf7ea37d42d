//! Readers of the settled order: each follows it from the first event, in as many lives as it takes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fastrand::Rng;
use foldlog_core::{Error, Filter, Page, Position, RawEvent, Source as _};
use foldlog_eventstore::{EventStore, Subscription};
use tokio::time::{sleep, timeout};

use crate::book::Book;
use crate::domain::told;
use crate::history::{self, Seen};

/// A page that takes longer is given up, and the session with it.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(50);

/// Where a schedule ends: readers stop when they are there. Nought while it is not known.
pub type Goal = Arc<AtomicU64>;

/// Where pages come from.
pub enum Feed {
    /// Pages of the source, with sizes of their own.
    Source(EventStore),
    /// A subscription.
    Subscription(EventStore),
    /// A reader with a bug.
    #[cfg(feature = "planted")]
    Planted(crate::planted::reader::PlantedReader),
}

pub struct Reader {
    pub number: u32,
    pub feed: Feed,
    pub book: Arc<Book>,
    pub rng: Rng,
    pub goal: Goal,
    life: u32,
    delivered: u64,
    through: u64,
}

enum Session {
    Reader(Box<dyn foldlog_core::Reader>),
    Subscription(Box<Subscription>),
}

impl Reader {
    #[must_use]
    pub fn new(number: u32, feed: Feed, book: Arc<Book>, rng: Rng, goal: Goal) -> Self {
        Self { number, feed, book, rng, goal, life: 0, delivered: 0, through: 0 }
    }

    /// Begins behind a position that was acknowledged, instead of with the first event.
    #[must_use]
    pub fn after(mut self, position: u64) -> Self {
        (self.delivered, self.through) = (position, position);
        self
    }

    /// Reads until it has reached the goal.
    pub async fn run(mut self) {
        let mut session = None;
        while !self.is_there() {
            match timeout(PATIENCE, self.step(&mut session)).await {
                Ok(Ok(())) => {}
                broken => {
                    if let Ok(Err(error)) = &broken
                        && !error.is_retryable()
                    {
                        self.book.surprise(format!("a reader failed: {error:?}"));
                    }
                    // A subscription finds its own way back, behind the last event it delivered.
                    if broken.is_ok() || matches!(session, Some(Session::Reader(_))) {
                        session = None;
                    }
                    self.life += 1;
                    self.through = self.delivered;
                    sleep(PAUSE).await;
                }
            }
        }
    }

    fn is_there(&self) -> bool {
        let goal = self.goal.load(Ordering::SeqCst);
        #[cfg(feature = "planted")]
        if let Feed::Planted(_) = self.feed {
            // What it has lost it will never be given.
            return goal > 0 && self.through >= goal;
        }
        goal > 0 && self.delivered >= goal
    }

    async fn step(&mut self, session: &mut Option<Session>) -> Result<(), Error> {
        let begun = self.book.recorder.now();
        let after = Position::new(self.through);
        #[cfg(feature = "planted")]
        if let Feed::Planted(planted) = &mut self.feed {
            let page = planted.page(after, 200).await?;
            self.deliver(begun, &page);
            return Ok(());
        }
        let page = match session {
            Some(Session::Reader(reader)) => {
                let limit = if self.rng.bool() { 500 } else { self.rng.u32(1..40) };
                reader.page(&Filter::all(), after, limit).await?
            }
            Some(Session::Subscription(subscription)) => subscription.next().await?,
            None => {
                *session = Some(self.open().await?);
                return Ok(());
            }
        };
        let rest = page.events.is_empty() || (!page.more && self.rng.bool());
        self.deliver(begun, &page);
        if rest && let Feed::Source(store) = &self.feed {
            store.woken().await;
        }
        Ok(())
    }

    async fn open(&self) -> Result<Session, Error> {
        Ok(match &self.feed {
            Feed::Source(store) => Session::Reader(store.reader().await?),
            Feed::Subscription(store) => {
                let token = store.token(Position::new(self.delivered));
                let subscription = store.subscribe(Filter::all()).after(&token)?;
                Session::Subscription(Box::new(subscription))
            }
            #[cfg(feature = "planted")]
            Feed::Planted(_) => unreachable!("it has its own session"),
        })
    }

    fn deliver(&mut self, begun: u64, page: &Page) {
        let events: Vec<Seen> = page.events.iter().map(|raw| seen(&self.book, raw)).collect();
        let through = page.through.get();
        let after = self.through;
        self.through = through;
        self.delivered = events.last().map_or(self.delivered, |event| event.position);
        // Nothing new, and nothing new known: of no use to the checker.
        if through == after && events.is_empty() {
            return;
        }
        let (reader, life, ended) = (self.number, self.life, self.book.recorder.now());
        let page = history::Page { reader, life, begun, ended, after, through, events };
        self.book.recorder.write().pages.push(page);
    }
}

fn seen(book: &Book, raw: &RawEvent) -> Seen {
    let told = told(raw);
    Seen {
        position: raw.position().get(),
        stream: book.stream(raw.stream.as_str()),
        version: raw.version,
        mark: told.map_or(0, |told| told.mark),
        intact: told.is_some_and(|told| told.intact),
    }
}
