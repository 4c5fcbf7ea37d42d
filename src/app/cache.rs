//! Aggregates that a process keeps in memory, to decide on them without a load.

use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::sync::Arc;

use foldlog_core::{Decider, StreamName};
use quick_cache::sync::{Cache as Entries, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, Options, OptionsBuilder, UnitWeighter};

use crate::loaded::{Folded, Known};

/// States that the process keeps after a command or a load, so that the next command on the same stream
/// begins with its decision: for [`AppBuilder::aggregate_cache`](crate::AppBuilder::aggregate_cache).
///
/// ```
/// # use foldlog::prelude::*;
/// # use foldlog::AggregateCache;
/// # #[derive(Event, serde::Serialize, serde::Deserialize)]
/// # #[event(category = "account", id = String)]
/// # enum AccountEvent { Opened }
/// # #[derive(Clone, Default, Aggregate)]
/// # #[aggregate(id = String)]
/// # struct Account;
/// # impl Decider for Account {
/// #     type Event = AccountEvent;
/// #     type Rejection = std::convert::Infallible;
/// #     fn evolve(&mut self, _: &AccountEvent) {}
/// # }
/// # fn build(db: Db) {
/// let builder = App::builder(db)
///     .aggregate::<Account>()
///     .aggregate_cache(AggregateCache::entries(10_000).keep::<Account>());
/// # }
/// ```
///
/// A state from the cache is never taken on trust. Events that a command decides on it are appended on
/// condition that the stream is still at its version; if it is not, what came since is read and the
/// command decided again, which counts as no retry. An answer that writes nothing (a rejection, a reply
/// without events, an [`App::load`](crate::App::load)) is given only after a look at what came since. So
/// the cache saves the transfer of a stream and its fold, and for commands with events the look as well.
/// Other processes may append as they like.
///
/// Commands in a transaction of yours neither use the cache nor fill it.
///
/// # Limits
///
/// - It is bounded in streams, not in bytes: so many states of the sizes that yours have. Of those, the
///   ones that were not asked for again leave first.
/// - What is kept counts only while the sessions last over which it came. When one breaks, as all do in
///   a failover or a restore, the whole of it is forgotten. A database that is brought back under running
///   processes without their sessions being ended is not noticed where the streams have come just as far:
///   restart the processes.
/// - A stream that was truncated goes on from the state that is in the cache.
/// - `evolve` sees the events of a command as they would be read back, but for a `decode` written by
///   hand the time of recording is not the server's.
#[must_use = "a cache is for `AppBuilder::aggregate_cache`"]
pub struct AggregateCache {
    entries: usize,
    kinds: HashMap<TypeId, Kind>,
}

/// What the cache knows of a kind of aggregate.
struct Kind {
    name: &'static str,
    // A `fn(&A) -> A`.
    copy: Box<dyn Any + Send + Sync>,
}

impl AggregateCache {
    /// A cache of the states of so many streams, of all its kinds of aggregates together.
    pub fn entries(entries: usize) -> Self {
        Self { entries, kinds: HashMap::new() }
    }

    /// Keeps states of this kind. They are cloned where a command and the cache both need one.
    pub fn keep<A: Decider + Clone>(mut self) -> Self {
        let copy: fn(&A) -> A = A::clone;
        let kind = Kind { name: type_name::<A>(), copy: Box::new(copy) };
        self.kinds.insert(TypeId::of::<A>(), kind);
        self
    }

    /// The name of a kind that is not among some.
    pub(super) fn stranger(&self, known: impl Fn(&TypeId) -> bool) -> Option<&'static str> {
        self.kinds.iter().find(|(id, _)| !known(id)).map(|(_, kind)| kind.name)
    }

    pub(super) fn build(self) -> Option<Cache> {
        // One shard: with more, the bound of each would be rounded up.
        let options: Options = OptionsBuilder::new()
            .shards(1)
            .estimated_items_capacity(self.entries)
            .weight_capacity(self.entries as u64)
            .build()
            .ok()?;
        let entries = Entries::with_options(
            options,
            UnitWeighter,
            DefaultHashBuilder::default(),
            DefaultLifecycle::default(),
        );
        Some(Cache { entries, kinds: self.kinds })
    }
}

impl std::fmt::Debug for AggregateCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kinds: Vec<_> = self.kinds.values().map(|kind| kind.name).collect();
        f.debug_struct("AggregateCache")
            .field("entries", &self.entries)
            .field("kinds", &kinds)
            .finish()
    }
}

/// The cache of an app.
pub(super) struct Cache {
    entries: Entries<(TypeId, StreamName), Entry>,
    kinds: HashMap<TypeId, Kind>,
}

#[derive(Clone)]
struct Entry {
    // A `Folded` of the aggregate of the key.
    folded: Arc<dyn Any + Send + Sync>,
    version: u64,
    // How many sessions had been lost when the call began that it comes from.
    sessions_lost: u64,
}

/// The cache as one call sees it.
pub(super) struct Memory<'a, A> {
    cache: &'a Cache,
    copy: fn(&A) -> A,
    sessions_lost: u64,
}

impl Cache {
    /// For a call that begins now; none for a kind that is not kept.
    pub(super) fn memory<A: Decider>(&self, sessions_lost: u64) -> Option<Memory<'_, A>> {
        let kind = self.kinds.get(&TypeId::of::<A>())?;
        let copy = *kind.copy.downcast_ref::<fn(&A) -> A>()?;
        Some(Memory { cache: self, copy, sessions_lost })
    }
}

impl<A: Decider> Memory<'_, A> {
    /// What was kept of a stream.
    pub(super) fn recall(&self, stream: &StreamName) -> Option<Known<A>> {
        let entry = self.cache.entries.get(&Self::key(stream))?;
        if entry.sessions_lost != self.sessions_lost {
            return None;
        }
        let folded = entry.folded.downcast().ok()?;
        Some(Known::Recalled(folded, self.copy))
    }

    /// Keeps a state. It may take the place of one that another command has just brought further, which
    /// costs a conflict; one beyond the end of the stream must not stay.
    pub(super) fn keep(&self, stream: &StreamName, folded: Arc<Folded<A>>) {
        let (version, sessions_lost) = (folded.version, self.sessions_lost);
        if version > 0 {
            let entry = Entry { folded, version, sessions_lost };
            self.cache.entries.insert(Self::key(stream), entry);
        } else {
            self.cache.entries.remove(&Self::key(stream));
        }
    }

    /// Gives up what is kept of a stream, if it is not beyond a version.
    pub(super) fn forget(&self, stream: &StreamName, version: u64) {
        self.cache.entries.remove_if(&Self::key(stream), |entry| entry.version <= version);
    }

    pub(super) fn copy(&self) -> fn(&A) -> A {
        self.copy
    }

    fn key(stream: &StreamName) -> (TypeId, StreamName) {
        (TypeId::of::<A>(), stream.clone())
    }
}
