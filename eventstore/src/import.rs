//! Bulk import: a history, with its versions, times and ids, by COPY.

mod batch;
mod error;
mod gather;
mod history;
mod session;

use std::time::{Duration, SystemTime};

use foldlog_core::{Error, ErrorKind, Position, Token};
use futures_util::{Stream, future};

use crate::append::is_missing_segment;
use crate::import::batch::{Batch, Kind};
use crate::import::gather::Gather;
use crate::import::session::ImportSession;
use crate::store::EventStore;

pub use error::ImportError;
pub use history::HistoricalEvent;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Who is told how far an import has come.
pub(crate) type Tell<'p> = Box<dyn FnMut(&ImportProgress) + Send + 'p>;

/// How many events are stored in one transaction at most, unless something else is asked for.
const BATCH_EVENTS: usize = 20_000;
/// How often a batch is tried when the server went away or broke it off.
const ATTEMPTS_MAX: u32 = 7;
const NAME_BYTES_MAX: usize = 255;

/// An import of a history, to be given its events. Made by [`EventStore::import`].
#[must_use = "nothing is imported before it is run"]
pub struct Import<'p> {
    store: EventStore,
    name: String,
    batch_events: usize,
    progress: Option<Tell<'p>>,
}

/// How far an import has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ImportProgress {
    /// Events of the input that are stored by now, by this run and those before.
    pub done: u64,
    /// Those of them that this run stored.
    pub imported: u64,
}

/// What an import came to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Imported {
    /// Events of the input, all of them stored by now.
    pub done: u64,
    /// Those of them that this run stored.
    pub imported: u64,
    /// Those that runs before had stored, and that were found to be the same.
    pub skipped: u64,
    /// A view read `at_least` this token holds what this run stored; `None` if that was nothing.
    pub token: Option<Token>,
}

impl EventStore {
    /// An import under a name, by which it goes on after it was broken off.
    pub fn import<'p>(&self, name: impl Into<String>) -> Import<'p> {
        let (store, name) = (self.clone(), name.into());
        Import { store, name, batch_events: BATCH_EVENTS, progress: None }
    }
}

impl<'p> Import<'p> {
    /// How many events are stored in one transaction at most: 20,000, unless something else is said. A
    /// batch also ends with 8 MiB or 1,000 streams.
    pub fn batch_events(mut self, events: usize) -> Self {
        self.batch_events = events.max(1);
        self
    }

    /// Is told after each batch how far the import has come.
    pub fn on_progress(mut self, progress: impl FnMut(&ImportProgress) + Send + 'p) -> Self {
        self.progress = Some(Box::new(progress));
        self
    }

    /// Stores events in the order of the input: that is the order of their positions. Versions must
    /// come in order within each stream, and go on where the store ends; streams may take turns.
    ///
    /// Events are stored in batches, each in one transaction with the count of what is done. So
    /// however a run ends, and also when its future is dropped, whole batches are stored, and **the same
    /// import, given the same input again, goes on behind them**: what is stored is passed over, and
    /// compared by a digest, so that an input that differs anywhere is refused. An input that has grown
    /// at its end is the same.
    ///
    /// Readers meet imported events as they meet appended ones: in the order of positions, none missed,
    /// a batch at once. The time of each event is the one it is given, so in the settled order
    /// times may go back. Types that nobody has registered are registered, as by an append. There are no
    /// receipts. Others may append at the same time; a stream that they appended to is refused, not mixed.
    ///
    /// It runs on a session of its own whose role needs `insert` on `foldlog.event` and on
    /// `foldlog.event_tag`, and takes what two
    /// batches take of memory, however long the input is.
    ///
    /// # Errors
    ///
    /// [`ImportError`]. A server that goes away is waited for, some seconds.
    pub async fn run<E: Into<BoxError>>(
        self,
        events: impl Stream<Item = Result<HistoricalEvent, E>> + Send,
    ) -> Result<Imported, ImportError> {
        if !(1..=NAME_BYTES_MAX).contains(&self.name.len()) || self.name.contains('\0') {
            let message = "the name of an import has 1 to 255 bytes, without NUL";
            return Err(Error::new(ErrorKind::Invalid, message).into());
        }
        let (session, opened) = ImportSession::open(&self.store, &self.name).await?;
        let mut gather = Gather::new(events, opened.begun, self.batch_events.min(opened.width));
        gather.pass_over(&self.name, &opened).await?;
        let skipped = opened.done;
        let mut run = Run::new(self, session, skipped);
        let mut batch = gather.batch().await?;
        while !batch.is_empty() {
            // While the server stores one, the next is taken in.
            let (stored, next) = future::join(run.put(batch), gather.batch()).await;
            stored?;
            batch = next?;
        }
        let Run { import, session, done, last, .. } = run;
        if let Some(session) = session {
            session.finish(&import.name).await?;
        }
        let token = last.map(|last| import.store.token(last));
        Ok(Imported { done, imported: done - skipped, skipped, token })
    }

    /// Takes in an input as [`run`](Self::run) does, and stores nothing: how many events it has, or the
    /// first that would be refused for what it is.
    pub(crate) async fn check<E: Into<BoxError>>(
        self,
        events: impl Stream<Item = Result<HistoricalEvent, E>> + Send,
    ) -> Result<u64, ImportError> {
        let mut gather = Gather::new(events, SystemTime::UNIX_EPOCH, self.batch_events);
        loop {
            let batch = gather.batch().await?;
            if batch.is_empty() {
                return Ok(batch.done);
            }
        }
    }

    /// The same, from an iterator.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub async fn run_iter<I>(self, events: I) -> Result<Imported, ImportError>
    where
        I: IntoIterator<Item = HistoricalEvent>,
        I::IntoIter: Send,
    {
        let events = events.into_iter().map(Ok::<_, Error>);
        self.run(futures_util::stream::iter(events)).await
    }
}

impl std::fmt::Debug for Import<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Import").field("name", &self.name).finish_non_exhaustive()
    }
}

fn held(batch: &Batch) -> Error {
    let (first, last) = (batch.before + 1, batch.done);
    let message = format!(
        "rows {first} to {last}: a stream or a tag of theirs is held by a transaction of others; run \
         the import again when that is over"
    );
    Error::new(ErrorKind::Busy, message)
}

/// An import under way.
struct Run<'p> {
    import: Import<'p>,
    // None between a session that failed and the next.
    session: Option<ImportSession>,
    /// The kinds of events met so far, by number.
    kinds: Vec<Kind>,
    skipped: u64,
    done: u64,
    last: Option<Position>,
}

impl<'p> Run<'p> {
    fn new(import: Import<'p>, session: ImportSession, skipped: u64) -> Self {
        let session = Some(session);
        Self { import, session, kinds: Vec::new(), skipped, done: skipped, last: None }
    }

    /// Stores a batch, however often the server goes away meanwhile.
    async fn put(&mut self, mut batch: Batch) -> Result<(), ImportError> {
        self.kinds.append(&mut batch.new_kinds);
        let mut attempt = 1;
        loop {
            let error = match self.try_put(&mut batch).await {
                Ok(position) => {
                    self.stored(&batch, position);
                    return Ok(());
                }
                Err(error) => error,
            };
            // It may be in a transaction, or gone.
            self.session = None;
            match &error {
                ImportError::Store(cause) if is_missing_segment(cause) => {
                    self.import.store.ensure_segments().await?;
                }
                // What was waited for, was waited for long enough.
                ImportError::Store(cause) if cause.kind() == ErrorKind::Busy => {
                    return Err(held(&batch).into());
                }
                ImportError::Store(cause) if cause.is_retryable() => {}
                // The session before, which the server has not given up yet.
                ImportError::Running { .. } => {}
                _ => return Err(error),
            }
            if attempt == ATTEMPTS_MAX {
                return Err(error);
            }
            tracing::debug!(%error, attempt, "a batch of an import is tried again");
            tokio::time::sleep(Duration::from_millis(25 << attempt)).await;
            attempt += 1;
        }
    }

    async fn try_put(&mut self, batch: &mut Batch) -> Result<Option<Position>, ImportError> {
        let session = match &mut self.session {
            Some(session) => session,
            None => {
                let (session, opened) =
                    ImportSession::open(&self.import.store, &self.import.name).await?;
                let session = self.session.insert(session);
                // The answer to its commit was lost.
                if opened.done == batch.done && opened.digest == batch.digest {
                    return Ok(opened.last_position);
                }
                session
            }
        };
        session.put(&self.import.name, batch, &self.kinds).await.map(Some)
    }

    fn stored(&mut self, batch: &Batch, position: Option<Position>) {
        self.done = batch.done;
        self.last = position.or(self.last);
        self.import.store.appended();
        let progress = ImportProgress { done: self.done, imported: self.done - self.skipped };
        if let Some(tell) = &mut self.import.progress {
            tell(&progress);
        }
    }
}

impl ImportError {
    /// How to react.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Refused { why: error, .. } | Self::Store(error) => error.kind(),
            Self::Running { .. } => ErrorKind::Busy,
            Self::OutOfStep { .. } | Self::Differs { .. } | Self::Input { .. } => {
                ErrorKind::Invalid
            }
        }
    }
}
