//! Group append: the appends of concurrent tasks become one call and one commit.
//!
//! An append joins the [`line`] of its stream. The line's writer has a connection of its own; while a
//! call is under way others gather behind it, and the next call takes them all. A lonely append finds
//! the writer idle and is sent at once: nothing is ever waited for to make a group larger.
//!
//! Each request of a call succeeds or fails alone. Those that depend on one another go into different
//! calls ([`admission`]). What another transaction holds is left out of the call and tried in two
//! more; then it waits in the second [`lane`], where no other stream waits behind it. A request that
//! makes the whole call fail is found by halving ([`delivery`]).
//!
//! Nothing here decides whether a lost append is repeated: a lost connection answers each request with
//! an error, and whoever asked appends the same request again ([`EventStore::append`]).

mod admission;
mod delivery;
mod held;
mod lane;
mod line;
mod link;
mod loads;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::{Duration, Instant};

use foldlog_core::{Error, ErrorKind, StreamName, slice_of};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::append::{AppendError, Appended};
use crate::boundary::Condition;
use crate::request::Request;
use crate::store::EventStore;
use held::Held;
use loads::Loading;

pub(crate) use loads::{EVENTS_MAX as LOAD_EVENTS_MAX, Short};

/// How many lines there are: while one commits, the other one's call is worked on.
const LINES: usize = 2;
/// How long the end of a run waits for what is under way, before it breaks that off.
const ENDING: Duration = Duration::from_secs(8);
/// How many requests wait in a line before those who append are made to wait.
const QUEUE_MAX: usize = 1_024;
/// How much may be on its way in all lines together.
const ROOM_KIB: u32 = 64 << 10;

/// The way into the group, while there is one: [`EventStore::run`] opens it.
#[derive(Debug, Default)]
pub(crate) struct Group(RwLock<Option<Arc<Lines>>>, Losses);

/// How many sessions of the lines and of the loads have come to an end.
type Losses = Arc<AtomicU64>;

#[derive(Debug)]
struct Lines {
    queues: Vec<mpsc::Sender<Waiting>>,
    loads: Vec<mpsc::Sender<Loading>>,
    room: Arc<Semaphore>,
}

/// A request on its way.
#[derive(Debug)]
struct Waiting {
    request: Request,
    types: Vec<i32>,
    // Dropped by a caller that is gone: the request is then left out if it has not been sent.
    answer: oneshot::Sender<Result<Appended, AppendError>>,
    since: Instant,
    // In how many calls it was busy.
    busy: u8,
    _room: OwnedSemaphorePermit,
}

impl Waiting {
    fn answer(self, result: Result<Appended, AppendError>) {
        // Who asked may have stopped listening; what was done is done.
        drop(self.answer.send(result));
    }
}

impl Group {
    /// Appends in a group. None while the group is closed: then nothing was sent.
    pub(crate) async fn append(
        &self,
        request: &Request,
        types: &[i32],
    ) -> Option<Result<Appended, AppendError>> {
        let lines = self.0.read().unwrap_or_else(PoisonError::into_inner).clone()?;
        let size = u32::try_from(request.size() >> 10).unwrap_or(u32::MAX).clamp(1, ROOM_KIB);
        let room = Arc::clone(&lines.room).acquire_many_owned(size).await.ok()?;
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting {
            request: request.clone(),
            types: types.to_vec(),
            answer,
            since: Instant::now(),
            busy: 0,
            _room: room,
        };
        lines.of(&lines.queues, slice(request)?)?.send(waiting).await.ok()?;
        Some(answered.await.unwrap_or_else(|_| Err(broken_off().into())))
    }

    /// How many of its sessions were lost so far. None while the group is closed.
    pub(crate) fn losses(&self) -> Option<u64> {
        let lines = self.0.read().unwrap_or_else(PoisonError::into_inner);
        lines.as_ref().map(|_| self.1.load(Ordering::SeqCst))
    }

    /// A stream beyond a version, with the loads of other tasks; behind a snapshot, if there is one of
    /// that schema beyond the version. None while the group is closed.
    pub(crate) async fn load(
        &self,
        stream: &StreamName,
        after_version: u64,
        schema_hash: Option<[u8; 32]>,
    ) -> Option<Result<Short, Error>> {
        let lines = self.0.read().unwrap_or_else(PoisonError::into_inner).clone()?;
        let (answer, answered) = oneshot::channel();
        let loading = Loading { stream: stream.clone(), after_version, schema_hash, answer };
        lines.of(&lines.loads, stream.slice())?.send(loading).await.ok()?;
        answered.await.ok()
    }

    /// Runs the writers until `shutdown`, and then to the end of what was asked for by then, for a few
    /// seconds at most.
    /// Dropping the future breaks off what is under way.
    pub(crate) async fn run(&self, store: &EventStore, shutdown: &CancellationToken) {
        let held = Arc::new(Held::default());
        // Bounded by the room that each request holds.
        let (detour, detours) = mpsc::unbounded_channel();
        let mut writers = JoinSet::new();
        let (mut queues, mut loads) = (Vec::new(), Vec::new());
        for _ in 0..LINES {
            let (queue, queued) = mpsc::channel(QUEUE_MAX);
            queues.push(queue);
            let line = line::Line::new(store.clone(), detour.clone(), Arc::clone(&held), &self.1);
            writers.spawn(line.write(queued));
            let (load, loading) = mpsc::channel(QUEUE_MAX);
            loads.push(load);
            writers.spawn(loads::read(store.clone(), loading, Arc::clone(&self.1)));
        }
        drop(detour);
        writers.spawn(lane::serve(store.clone(), detours, held));
        let room = Arc::new(Semaphore::new(ROOM_KIB as usize));
        let closing = self.open(Lines { queues, loads, room });
        shutdown.cancelled().await;
        drop(closing);
        let ending = async {
            while let Some(ended) = writers.join_next().await {
                if let Err(error) = ended {
                    tracing::error!(%error, "a writer of group append stopped");
                }
            }
        };
        if tokio::time::timeout(ENDING, ending).await.is_err() {
            tracing::warn!(
                "appends that the server did not answer were broken off at the shutdown"
            );
        }
    }

    fn open(&self, lines: Lines) -> Closing<'_> {
        let lines = Arc::new(lines);
        let opened = Arc::downgrade(&lines);
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(lines);
        Closing { group: self, opened }
    }
}

/// Closes the group when it is dropped, by whatever end the writers come to; unless another run has
/// opened it anew.
struct Closing<'a> {
    group: &'a Group,
    opened: Weak<Lines>,
}

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        let mut lines = self.group.0.write().unwrap_or_else(PoisonError::into_inner);
        lines.take_if(|lines| std::ptr::eq(Arc::as_ptr(lines), self.opened.as_ptr()));
    }
}

impl Lines {
    /// The line of a slice.
    fn of<'a, T>(&self, queues: &'a [mpsc::Sender<T>], slice: u16) -> Option<&'a mpsc::Sender<T>> {
        queues.get(usize::from(slice) % self.queues.len())
    }
}

/// What parts requests into lines, so that a process does not stand in its own way: the tag that their
/// condition locks, or their first stream.
fn slice(request: &Request) -> Option<u16> {
    let mut locks = request.condition.iter().flat_map(Condition::locks);
    match locks.next().flatten() {
        Some(tag) => Some(slice_of(tag.as_str().as_bytes())),
        None => Some(request.streams.first()?.name.slice()),
    }
}

fn broken_off() -> Error {
    Error::new(ErrorKind::Unavailable, "append: it was broken off on its way")
}
