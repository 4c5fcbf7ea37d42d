//! A line: one link, and the requests that wait for its next call.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use foldlog_core::Error;
use tokio::sync::mpsc;

use super::admission::next_call;
use super::delivery::{Detour, deliver, refuse};
use super::held::Held;
use super::link::Link;
use super::{Losses, Waiting};
use crate::append::LOCK_WAIT_MS;
use crate::store::EventStore;

/// In how many calls a request may be busy before it takes the second lane.
const BUSY_MAX: u8 = 3;
/// How many requests a line looks at for its next call.
const PENDING_MAX: usize = 1_000;
/// The pause before the next attempt to connect.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

pub(super) struct Line {
    store: EventStore,
    detour: mpsc::UnboundedSender<Detour>,
    held: Arc<Held>,
    losses: Losses,
    link: Option<Link>,
    pending: VecDeque<Waiting>,
}

impl Line {
    pub(super) fn new(
        store: EventStore,
        detour: mpsc::UnboundedSender<Detour>,
        held: Arc<Held>,
        losses: &Losses,
    ) -> Self {
        let losses = Arc::clone(losses);
        Self { store, detour, held, losses, link: None, pending: VecDeque::new() }
    }

    /// Writes until the queue is closed and empty.
    pub(super) async fn write(mut self, mut queue: mpsc::Receiver<Waiting>) {
        loop {
            if self.pending.is_empty() && !self.next(&mut queue).await {
                return;
            }
            // What a call can take and some more; the others wait in the queue, and their callers before
            // it.
            while self.pending.len() < PENDING_MAX
                && let Ok(waiting) = queue.try_recv()
            {
                self.pending.push_back(waiting);
            }
            self.divert();
            if self.pending.is_empty() {
                continue;
            }
            if self.link.is_none() && !self.connect().await {
                continue;
            }
            let requests = next_call(&mut self.pending);
            if requests.is_empty() {
                continue;
            }
            let several = requests.len() > 1;
            let busy = deliver(&self.store, &mut self.link, requests, 0).await;
            let mut again = Vec::new();
            for Detour { stream, is_free, mut waiting } in busy {
                waiting.busy += 1;
                if waiting.busy < BUSY_MAX {
                    again.push(waiting);
                } else {
                    self.send(Detour { stream, is_free, waiting });
                }
            }
            // Ahead of the others, in the order in which they came.
            for waiting in again.into_iter().rev() {
                self.pending.push_front(waiting);
            }
            if several {
                // Those who have just been answered may have their next request ready.
                tokio::task::yield_now().await;
            }
        }
    }

    /// Waits for a request. False when there will be none.
    async fn next(&mut self, queue: &mut mpsc::Receiver<Waiting>) -> bool {
        loop {
            let waiting = match &mut self.link {
                None => queue.recv().await,
                Some(link) => tokio::select! {
                    biased;
                    waiting = queue.recv() => waiting,
                    () = link.closed() => {
                        self.link = None;
                        continue;
                    }
                },
            };
            self.pending.extend(waiting);
            return !self.pending.is_empty();
        }
    }

    /// Sends to the second lane what waits there anyway.
    fn divert(&mut self) {
        for _ in 0..self.pending.len() {
            let Some(waiting) = self.pending.pop_front() else { return };
            match self.held.stream_of(&waiting.request) {
                Some(stream) => self.send(Detour { stream, is_free: false, waiting }),
                None => self.pending.push_back(waiting),
            }
        }
    }

    fn send(&self, detour: Detour) {
        self.held.insert(&detour.stream);
        if let Err(mpsc::error::SendError(detour)) = self.detour.send(detour) {
            detour.waiting.answer(Err(super::broken_off().into()));
        }
    }

    /// Opens a session. Who has waited for one as long as for a lock is told why there is none.
    async fn connect(&mut self) -> bool {
        let mut pause = FIRST_PAUSE;
        loop {
            let error = match Link::open(self.store.db(), "foldlog append").await {
                Ok(link) => {
                    self.link = Some(link.counted(&self.losses));
                    return true;
                }
                Err(error) => error,
            };
            tracing::debug!(%error, "no session for group append; it is tried again");
            self.give_up(&error);
            if self.pending.is_empty() {
                return false;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn give_up(&mut self, error: &Error) {
        let patience = Duration::from_millis(LOCK_WAIT_MS.unsigned_abs().into());
        let (late, early): (Vec<_>, VecDeque<_>) = {
            let mut late = Vec::new();
            let mut early = VecDeque::new();
            for waiting in self.pending.drain(..) {
                if waiting.answer.is_closed() {
                } else if !error.is_retryable() || waiting.since.elapsed() > patience {
                    late.push(waiting);
                } else {
                    early.push_back(waiting);
                }
            }
            (late, early)
        };
        self.pending = early;
        refuse(late, error);
    }
}
