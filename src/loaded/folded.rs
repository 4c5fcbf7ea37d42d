//! A state on its way through its stream.

use std::time::SystemTime;

use foldlog_core::{Decider, Error, EventSet, Position, RawEvent, SnapshotRule, StreamName};
use foldlog_eventstore::{EventStore, Snapshot, StreamPage};

use super::Via;

/// How many events are read at once.
const PAGE_EVENTS: u32 = 1_000;

/// Which stream is folded, and whether behind snapshots.
pub(crate) struct Reading<'a, A: 'static> {
    pub(crate) store: &'a EventStore,
    pub(crate) stream: &'a StreamName,
    pub(crate) rule: Option<&'static SnapshotRule<A>>,
}

/// A state, and how much of its stream went into it.
#[derive(Default)]
pub(crate) struct Folded<A> {
    pub(crate) state: A,
    pub(crate) version: u64,
    pub(crate) position: Position,
    /// The version of the last snapshot that is known; 0 if none is.
    pub(crate) snapshot: u64,
}

impl<A: Decider> Folded<A> {
    /// Takes in what the stream has beyond the known version, a page at a time. A stream that ends
    /// before that version was brought back from elsewhere, and is folded anew.
    ///
    /// Dropping the future leaves the state between two events: go on from there, or drop it too.
    pub(crate) async fn advance(
        &mut self,
        reading: &Reading<'_, A>,
        via: &mut Via<'_>,
    ) -> Result<(), Error> {
        self.advance_until(reading, via, Until::End).await
    }

    pub(super) async fn advance_until(
        &mut self,
        reading: &Reading<'_, A>,
        via: &mut Via<'_>,
        until: Until,
    ) -> Result<(), Error> {
        let mut rule = until.may_go_behind(reading.rule);
        loop {
            let limit = until.page_after(self.version);
            if limit == 0 {
                return Ok(());
            }
            let page = match rule.take_if(|_| self.version == 0) {
                Some(rule) => match self.begin(rule, reading, via, until).await? {
                    Some(page) => page,
                    // Nothing was read that serves; now from the first event.
                    None => continue,
                },
                None => via.page(reading.store, reading.stream, self.version, limit).await?,
            };
            if page.version < self.version {
                *self = Self::default();
                continue;
            }
            if let Some(cut) = &page.cut
                && !cut.continues(reading.stream, self.version)?
            {
                // What the cut event stands for holds all that was folded so far.
                *self = Self::default();
            }
            for raw in &page.events {
                if !until.includes(raw) {
                    return match &page.cut {
                        // Before it there were events, and nobody can say what they came to.
                        Some(cut) if self.version == 0 => Err(cut.error(reading.stream)),
                        _ => Ok(()),
                    };
                }
                self.take_in(raw)?;
            }
            if !page.more {
                return Ok(());
            }
        }
    }

    /// The first page of a stream: behind its snapshot, which becomes the state, if it has one that
    /// serves. `None` if the one it has can't be read.
    async fn begin(
        &mut self,
        rule: &SnapshotRule<A>,
        reading: &Reading<'_, A>,
        via: &mut Via<'_>,
        until: Until,
    ) -> Result<Option<StreamPage>, Error> {
        let (to_version, limit) = (until.version(), until.page_after(0));
        let load = via.load(reading.store, reading.stream, rule, to_version, limit).await?;
        let Some(snapshot) = load.snapshot else { return Ok(Some(load.page)) };
        let next = load.page.events.first().map(|event| event.version);
        let follows = next.is_none_or(|next| next == snapshot.version + 1);
        if !follows || load.page.version < snapshot.version {
            tracing::warn!(
                stream = %reading.stream, version = snapshot.version, ?next,
                "a snapshot is left alone: the rest of the stream does not follow it"
            );
            return Ok(None);
        }
        match rule.read(snapshot.state.get()) {
            Ok(state) => {
                let Snapshot { version, position, .. } = snapshot;
                *self = Self { state, version, position, snapshot: version };
                Ok(Some(load.page))
            }
            Err(cause) => {
                // The cause's own words may hold parts of the state.
                tracing::warn!(
                    stream = %reading.stream, version = snapshot.version,
                    aggregate = rule.aggregate(), fault = ?cause.classify(), column = cause.column(),
                    "a snapshot can't be read and is left alone; the stream is folded whole"
                );
                Ok(None)
            }
        }
    }

    pub(crate) fn take_in(&mut self, raw: &RawEvent) -> Result<(), Error> {
        self.state.evolve(&A::Event::decode(raw)?);
        self.version = raw.version;
        self.position = raw.position();
        Ok(())
    }

    /// The same state once more, by a way of copying states.
    pub(crate) fn copied(&self, copy: fn(&A) -> A) -> Self {
        let Self { version, position, snapshot, .. } = *self;
        Self { state: copy(&self.state), version, position, snapshot }
    }
}

/// How far a stream is folded.
#[derive(Clone, Copy)]
pub(super) enum Until {
    End,
    Version(u64),
    Time(SystemTime),
}

impl Until {
    /// The rule of a fold that may begin behind a snapshot. When the events in one were recorded is not
    /// known: it may be beyond any time.
    fn may_go_behind<R>(self, rule: Option<R>) -> Option<R> {
        rule.filter(|_| !matches!(self, Self::Time(_)))
    }

    /// The version not to go beyond.
    fn version(self) -> u64 {
        if let Self::Version(last) = self { last } else { u64::MAX }
    }

    /// How many events the next page may have.
    fn page_after(self, version: u64) -> u32 {
        match self {
            Self::Version(last) => {
                let left = last.saturating_sub(version);
                u32::try_from(left).unwrap_or(PAGE_EVENTS).min(PAGE_EVENTS)
            }
            Self::End | Self::Time(_) => PAGE_EVENTS,
        }
    }

    fn includes(self, event: &RawEvent) -> bool {
        match self {
            Self::End => true,
            Self::Version(last) => event.version <= last,
            Self::Time(time) => event.recorded <= time,
        }
    }
}
