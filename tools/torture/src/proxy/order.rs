//! What the connections of a proxy are told to do, and what they have done.

use std::future::pending;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fastrand::Rng;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::talk::Work;

/// What becomes of connections at the end of a black hole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// They end, and what was held is lost.
    Drop,
    /// What was held is passed on, as if the net had been slow.
    GoOn,
}

/// What a proxy has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections that were taken.
    pub connections: usize,
    /// Of these, how many found no server.
    pub refused: usize,
    /// Commits, autocommitted appends and others whose answer was cut.
    pub commits_cut: usize,
    pub appends_cut: usize,
    pub answers_cut: usize,
    /// Connections that were ended by a black hole or by `cut_all`.
    pub dropped: usize,
    /// How often bytes were held.
    pub held: usize,
    /// Pieces beyond the first that something was passed on in.
    pub pieces: usize,
}

/// Cuts that have been ordered.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cuts {
    pub(super) commits: usize,
    pub(super) appends: usize,
    pub(super) answers: usize,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Order {
    /// Counts the calls of `cut_all`.
    generation: u64,
    hole: Option<Hole>,
    pub(super) split: bool,
}

#[derive(Clone, Copy, Debug)]
struct Hole {
    until: Instant,
    after: After,
}

/// Where orders are given and taken.
#[derive(Debug)]
pub(super) struct Desk {
    order: watch::Sender<Order>,
    cuts: Mutex<Cuts>,
    counts: Mutex<Counts>,
    rng: Mutex<Rng>,
}

impl Desk {
    pub(super) fn new(rng: Rng) -> Self {
        Self {
            order: watch::Sender::default(),
            cuts: Mutex::default(),
            counts: Mutex::default(),
            rng: Mutex::new(rng),
        }
    }

    /// Randomness for a connection.
    pub(super) fn rng(&self) -> Rng {
        locked(&self.rng).fork()
    }

    pub(super) fn order_cuts(&self, change: impl FnOnce(&mut Cuts)) {
        change(&mut locked(&self.cuts));
    }

    pub(super) fn cuts_left(&self) -> usize {
        let cuts = *locked(&self.cuts);
        cuts.commits + cuts.appends + cuts.answers
    }

    /// Whether the answer to this is to be cut; then it is counted.
    pub(super) fn takes(&self, work: Work, in_transaction: bool) -> bool {
        let mut cuts = locked(&self.cuts);
        let mut counts = locked(&self.counts);
        let (left, count) = if work == Work::Commit && cuts.commits > 0 {
            (&mut cuts.commits, &mut counts.commits_cut)
        } else if work == Work::Append && !in_transaction && cuts.appends > 0 {
            (&mut cuts.appends, &mut counts.appends_cut)
        } else if cuts.answers > 0 {
            (&mut cuts.answers, &mut counts.answers_cut)
        } else {
            return false;
        };
        *left -= 1;
        *count += 1;
        true
    }

    pub(super) fn blackhole(&self, time: Duration, after: After) {
        let hole = Hole { until: Instant::now() + time, after };
        self.order.send_modify(|order| order.hole = Some(hole));
    }

    pub(super) fn split(&self, on: bool) {
        self.order.send_modify(|order| order.split = on);
    }

    pub(super) fn cut_all(&self) {
        self.order.send_modify(|order| order.generation += 1);
    }

    pub(super) fn pass(&self) {
        self.order.send_modify(|order| (order.hole, order.split) = (None, false));
    }

    pub(super) fn follow(&self) -> watch::Receiver<Order> {
        self.order.subscribe()
    }

    pub(super) fn count(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut locked(&self.counts));
    }

    pub(super) fn counts(&self) -> Counts {
        *locked(&self.counts)
    }

    /// Comes back when bytes may pass.
    pub(super) async fn held(&self, order: &mut watch::Receiver<Order>) {
        let mut counted = false;
        loop {
            let hole = order.borrow_and_update().hole;
            let Some(hole) = hole.filter(|hole| hole.until > Instant::now()) else { return };
            if !counted {
                self.count(|counts| counts.held += 1);
                counted = true;
            }
            tokio::select! {
                () = sleep_until(hole.until) => {}
                _ = order.changed() => {}
            }
            // At its end it is for `doom` to say what becomes of the connection.
            tokio::task::yield_now().await;
        }
    }
}

/// Comes back when a connection that follows these orders has to end.
pub(super) async fn doom(order: &mut watch::Receiver<Order>) {
    let born = order.borrow_and_update().generation;
    loop {
        let now = *order.borrow_and_update();
        if now.generation != born {
            return;
        }
        // A hole that was over before the connection began is none of its business.
        let end = now.hole.filter(|hole| hole.after == After::Drop && hole.until > Instant::now());
        let over = async {
            match end {
                Some(hole) => sleep_until(hole.until).await,
                None => pending().await,
            }
        };
        tokio::select! {
            biased;
            () = over => return,
            changed = order.changed() => if changed.is_err() {
                // The proxy is gone, and its connections with it.
                return;
            }
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
