//! The state of one stream, and how it is folded.

mod folded;
mod known;

use std::time::SystemTime;

use foldlog_core::{
    Decider, Error, ErrorKind, Expected, IdOf, Identifies, SnapshotRule, StreamName, Token,
};
use foldlog_eventstore::{
    EventStore, IntoEvents, SnapshotSchema, StreamEvents, StreamLoad, StreamPage,
};
use sqlx::PgConnection;

use crate::app::App;
use crate::append::Appended;

pub(crate) use folded::{Folded, Reading};
pub(crate) use known::Known;

use folded::Until;

/// The state of an aggregate, as far as its stream had come when it was loaded.
#[derive(Debug)]
#[non_exhaustive]
pub struct Loaded<A: Decider> {
    /// The state.
    pub state: A,
    /// The version of the stream: how many events it had; 0 if it did not exist.
    pub version: u64,
    /// A view read `at_least` this token holds the state that was loaded.
    pub token: Token,
    id: IdOf<A>,
    stream: StreamName,
}

impl<A: Decider> Loaded<A> {
    /// Events for this stream, on the condition that it is still at this version: for
    /// [`App::append`].
    ///
    /// The stream stays the one that was loaded, with its tenant.
    pub fn events(&self, events: impl IntoEvents<A::Event>) -> StreamEvents {
        StreamEvents::of(&self.id, expected(self.version), events).in_tenant(self.stream.tenant())
    }

    /// Takes in events that were just appended on top of this state, so that the next append needs
    /// no load. False, and nothing changes, if that is not what happened (the append was a repeat,
    /// or began at another version): load again then.
    #[must_use = "if it is false, the state has to be loaded again"]
    pub fn advance(&mut self, events: &[A::Event], appended: &Appended) -> bool {
        let after = self.version + events.len() as u64;
        let ours = appended.streams.iter().find(|part| part.stream == self.stream);
        if appended.repeated || ours.is_none_or(|part| part.version != after) {
            return false;
        }
        for event in events {
            self.state.evolve(event);
        }
        self.version = after;
        self.token = appended.token;
        true
    }

    /// The name of the stream.
    #[must_use]
    pub fn stream(&self) -> &StreamName {
        &self.stream
    }
}

impl App {
    /// Loads the state of an aggregate: `app.load::<Stock>(&code)`.
    ///
    /// It is the state of a moment of this call, also where it comes from a snapshot or from the
    /// [cache](crate::AggregateCache): what came since is read. Dropping the future leaves nothing
    /// behind.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if the aggregate is not registered or the
    /// id can't name a stream; [`ErrorKind::Decode`](crate::ErrorKind::Decode) if a stored event
    /// can't be read; [`ErrorKind::Truncated`](crate::ErrorKind::Truncated) if the stream was cut and
    /// does not begin with a summary, [`ErrorKind::Tombstoned`](crate::ErrorKind::Tombstoned) if it was
    /// closed for ever; [`ErrorKind::Stopped`](crate::ErrorKind::Stopped) after
    /// [`shutdown`](Self::shutdown); those of the database.
    pub async fn load<A: Decider>(&self, id: &impl Identifies<A>) -> Result<Loaded<A>, Error> {
        self.load_id(id.id(), rule_of(id)).await
    }

    /// Loads the state as it was when the stream was at a version: folded from its first `version`
    /// events. Version 0 is the state before all of them.
    ///
    /// What is loaded is the past: [`Loaded::events`] of it conflict with whatever came since. Dropping
    /// the future leaves nothing behind.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load); and [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if the stream has
    /// not come to that version.
    pub async fn load_at_version<A: Decider>(
        &self,
        id: &impl Identifies<A>,
        version: u64,
    ) -> Result<Loaded<A>, Error> {
        let loaded = self.load_until(id.id(), rule_of(id), Until::Version(version)).await?;
        if loaded.version < version {
            let Loaded { version: last, stream, .. } = loaded;
            return Err(Error::new(
                ErrorKind::Invalid,
                format!("stream {stream} is at version {last} and has no version {version}"),
            ));
        }
        Ok(loaded)
    }

    /// Loads the state as it was at a time: folded from the longest beginning of the stream whose
    /// events were all recorded at that time or before it. The state before all of them if there is
    /// none.
    ///
    /// The clock is the server's. Versions and not times order a stream: where the clock was set back
    /// or another server took over, an event can be recorded earlier than the one before it, and stays
    /// behind it here too. An append that is recorded may still be open: of a time that has hardly
    /// passed, the same call can answer with more later. What is loaded is the past, as in
    /// [`load_at_version`](Self::load_at_version). Dropping the future leaves nothing behind.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load). Events behind the state are not decoded.
    pub async fn load_at_time<A: Decider>(
        &self,
        id: &impl Identifies<A>,
        time: SystemTime,
    ) -> Result<Loaded<A>, Error> {
        self.load_until(id.id(), rule_of(id), Until::Time(time)).await
    }

    pub(crate) async fn load_id<A: Decider>(
        &self,
        id: IdOf<A>,
        rule: Option<&'static SnapshotRule<A>>,
    ) -> Result<Loaded<A>, Error> {
        let _call = self.call()?;
        self.check_registered::<A>()?;
        let stream = StreamName::of::<A::Event>(self.acts_for(), &id)?;
        let keeping = self.keeping(rule);
        let mut known = keeping.recall(&stream);
        let reading = Reading { store: self.store(), stream: &stream, rule };
        known.update(&reading, &mut Via::Own).await?;
        let folded = keeping.keep_and_answer(&stream, known);
        Ok(self.loaded(id, stream, folded))
    }

    async fn load_until<A: Decider>(
        &self,
        id: IdOf<A>,
        rule: Option<&'static SnapshotRule<A>>,
        until: Until,
    ) -> Result<Loaded<A>, Error> {
        let _call = self.call()?;
        self.check_registered::<A>()?;
        let stream = StreamName::of::<A::Event>(self.acts_for(), &id)?;
        let mut folded = Folded::<A>::default();
        let reading = Reading { store: self.store(), stream: &stream, rule };
        folded.advance_until(&reading, &mut Via::Own, until).await?;
        Ok(self.loaded(id, stream, folded))
    }

    fn loaded<A: Decider>(&self, id: IdOf<A>, stream: StreamName, folded: Folded<A>) -> Loaded<A> {
        let token = self.store().token(folded.position);
        Loaded { state: folded.state, version: folded.version, token, id, stream }
    }
}

/// What the derive of an id's aggregate says of snapshots.
pub(crate) fn rule_of<A: Decider, I: Identifies<A>>(_: &I) -> Option<&'static SnapshotRule<A>> {
    I::snapshots()
}

/// What an append expects of a stream that was folded up to a version.
pub(crate) fn expected(version: u64) -> Expected {
    if version == 0 { Expected::NoStream } else { Expected::Exact(version) }
}

/// On which connection: any of the pool's, or the one of the caller's transaction.
pub(crate) enum Via<'c> {
    Own,
    In(&'c mut PgConnection),
    #[cfg(feature = "tokio-postgres")]
    Tokio(foldlog_eventstore::TokioClient<'c>),
}

impl Via<'_> {
    /// Whether what is read is committed, and what is appended too.
    pub(crate) fn is_own(&self) -> bool {
        matches!(self, Self::Own)
    }

    async fn load<A>(
        &mut self,
        store: &EventStore,
        stream: &StreamName,
        rule: &SnapshotRule<A>,
        to_version: u64,
        limit: u32,
    ) -> Result<StreamLoad, Error> {
        let schema = SnapshotSchema { aggregate: rule.aggregate(), hash: rule.schema_hash() };
        match self {
            Self::Own => store.load_stream(stream, schema, to_version, limit).await,
            Self::In(conn) => store.load_stream_in(conn, stream, schema, to_version, limit).await,
            #[cfg(feature = "tokio-postgres")]
            Self::Tokio(client) => {
                store.load_stream_in_tokio(*client, stream, schema, to_version, limit).await
            }
        }
    }

    async fn page(
        &mut self,
        store: &EventStore,
        stream: &StreamName,
        after_version: u64,
        limit: u32,
    ) -> Result<StreamPage, Error> {
        match self {
            Self::Own => store.read_stream(stream, after_version, limit).await,
            Self::In(conn) => store.read_stream_in(conn, stream, after_version, limit).await,
            #[cfg(feature = "tokio-postgres")]
            Self::Tokio(client) => {
                store.read_stream_in_tokio(*client, stream, after_version, limit).await
            }
        }
    }
}
