//! A stored stream as a fixture for tests.

use foldlog_core::given::Fixture;
use foldlog_core::{Decider, Error, Identifies, StreamName};

use crate::app::App;

/// How many events are read at once.
const PAGE_EVENTS: u32 = 1_000;

impl App {
    /// The stream of an aggregate as a [`Fixture`], to be written to a file and given to a test:
    /// `app.export::<Account>(&id).await?.to_string()`.
    ///
    /// Events are taken as they are stored, also those that this program can't decode. What is
    /// personal in them is in the fixture too.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if the aggregate is not registered or the
    /// id can't name a stream; [`ErrorKind::Stopped`](crate::ErrorKind::Stopped) after
    /// [`shutdown`](Self::shutdown); [`ErrorKind::Truncated`](crate::ErrorKind::Truncated) if the stream
    /// was cut, for a fixture begins with version 1; those of the database.
    pub async fn export<A: Decider>(&self, id: &impl Identifies<A>) -> Result<Fixture, Error> {
        let _call = self.call()?;
        self.check_registered::<A>()?;
        let stream = StreamName::of::<A::Event>(self.acts_for(), &id.id())?;
        let mut events = Vec::new();
        loop {
            let version = events.len() as u64;
            let page = self.store().read_stream(&stream, version, PAGE_EVENTS).await?;
            if let Some(cut) = &page.cut {
                return Err(cut.error(&stream));
            }
            events.extend(page.events);
            if !page.more {
                return Fixture::new(stream, events);
            }
        }
    }
}
