//! Marks on the streams of aggregates: archived, truncated, closed for ever.

use std::future::IntoFuture;

use foldlog_core::{BoxFuture, Decider, Error, Identifies, StreamName};
use foldlog_eventstore::{self as eventstore, AppendError, EventStore};
use sqlx::PgConnection;

use crate::app::App;

/// A mark on its way to a stream. Await it: it answers whether it changed anything, which it did not if
/// the stream stood so already. Its errors are those of [`eventstore::Marking`].
///
/// It waits for appends to the stream that are under way, and what is appended later obeys it. Dropping
/// the future leaves it made or not made; to make it again is safe.
#[derive(Debug)]
#[must_use = "a stream is marked when this is awaited"]
pub struct Marking {
    app: App,
    marking: Result<eventstore::Marking, Error>,
}

/// A mark on its way in a transaction of yours, at read committed. Await it.
#[derive(Debug)]
#[must_use = "a stream is marked when this is awaited"]
pub struct MarkingIn<'c> {
    marking: Marking,
    conn: &'c mut PgConnection,
}

impl App {
    /// Archives a stream: it is loaded and read as ever, commands with events and appends are refused
    /// with [`ErrorKind::Archived`](crate::ErrorKind::Archived), and lists leave it out. The reason is
    /// kept for ever, with the time and the role that is logged in.
    pub fn archive<A: Decider>(&self, id: &impl Identifies<A>, reason: &str) -> Marking {
        self.mark(id, |store, stream| store.archive(stream, reason))
    }

    /// Opens an archived stream again.
    pub fn unarchive<A: Decider>(&self, id: &impl Identifies<A>, reason: &str) -> Marking {
        self.mark(id, |store, stream| store.unarchive(stream, reason))
    }

    /// Truncates a stream before a version: its readers don't see those events any more, and no state
    /// is folded from the rest. Views keep what they took in, and a view built anew takes it in again,
    /// until the segment of the events is dropped.
    pub fn truncate_before<A: Decider>(
        &self,
        id: &impl Identifies<A>,
        version: u64,
        reason: &str,
    ) -> Marking {
        self.mark(id, |store, stream| store.truncate_before(stream, version, reason))
    }

    /// The same before an event that stands for all before it, as one does that closes the books: the
    /// state is folded from it on.
    pub fn truncate_to_summary<A: Decider>(
        &self,
        id: &impl Identifies<A>,
        version: u64,
        reason: &str,
    ) -> Marking {
        self.mark(id, |store, stream| store.truncate_to_summary(stream, version, reason))
    }

    /// Closes a stream for ever: neither read nor appended to, nor begun anew. Whoever tries is told
    /// when and why, with [`ErrorKind::Tombstoned`](crate::ErrorKind::Tombstoned).
    pub fn tombstone<A: Decider>(&self, id: &impl Identifies<A>, reason: &str) -> Marking {
        self.mark(id, |store, stream| store.tombstone(stream, reason))
    }

    fn mark<A: Decider>(
        &self,
        id: &impl Identifies<A>,
        marking: impl FnOnce(&EventStore, &StreamName) -> eventstore::Marking,
    ) -> Marking {
        let stream = StreamName::of::<A::Event>(self.acts_for(), &id.id());
        let marking = stream.map(|stream| marking(self.store(), &stream));
        Marking { app: self.clone(), marking }
    }
}

impl Marking {
    /// The version that the stream must be at; at any other it is
    /// [`AppendError::Conflict`], and nothing is marked.
    pub fn expect_version(mut self, version: u64) -> Self {
        self.marking = self.marking.map(|marking| marking.expect_version(version));
        self
    }

    /// In a transaction of yours, at read committed: it counts when that commits, and the stream is
    /// held until then.
    pub fn within(self, conn: &mut PgConnection) -> MarkingIn<'_> {
        MarkingIn { marking: self, conn }
    }
}

impl IntoFuture for Marking {
    type Output = Result<bool, AppendError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let _call = self.app.call()?;
            self.marking?.await
        })
    }
}

impl<'c> IntoFuture for MarkingIn<'c> {
    type Output = Result<bool, AppendError>;
    type IntoFuture = BoxFuture<'c, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let Marking { app, marking } = self.marking;
            let _call = app.call()?;
            marking?.within(self.conn).await
        })
    }
}
