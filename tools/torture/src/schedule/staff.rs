//! Who works in a schedule: writers, lookers, readers, and who does mischief on purpose.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use fastrand::Rng;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::RECOVERY;
use crate::arena::Arena;
use crate::book::Book;
use crate::bug::Bug;
use crate::commander::Commander;
use crate::hold::Holder;
use crate::look::Looker;
use crate::marker::Marker;
use crate::plan::Plan;
use crate::poison::Poisoner;
use crate::reader::{Feed, Goal, Reader};
use crate::stall::Staller;
use crate::writer::Writer;

pub(super) struct Staff {
    stop: CancellationToken,
    pub(super) healed: CancellationToken,
    goal: Goal,
    rng: Rng,
    /// Writers and lookers.
    work: JoinSet<()>,
    readers: JoinSet<()>,
    readers_hired: u32,
    /// Who waits for a projection to stop, and mends it.
    pub(super) poisoning: JoinSet<()>,
}

impl Staff {
    pub(super) fn hire(
        plan: &Plan,
        arena: &Arena,
        book: &Arc<Book>,
        rng: &mut Rng,
        bug: Option<Bug>,
    ) -> Self {
        let mut staff = Self {
            stop: CancellationToken::new(),
            healed: CancellationToken::new(),
            goal: Goal::default(),
            rng: rng.fork(),
            work: JoinSet::new(),
            readers: JoinSet::new(),
            readers_hired: 0,
            poisoning: JoinSet::new(),
        };
        staff.hire_writers(plan, arena, book, bug);
        staff.hire_lookers(plan, arena, book);
        staff.hire_readers(plan, arena, book, bug);
        if plan.poison {
            let poisoner = Poisoner { store: arena.direct.clone(), book: book.clone() };
            let (healed, book) = (staff.healed.clone(), book.clone());
            staff.poisoning.spawn(async move {
                if let Err(error) = poisoner.run(healed).await {
                    book.surprise(format!("a poison could not be mended: {error}"));
                }
            });
        }
        staff
    }

    fn hire_writers(&mut self, plan: &Plan, arena: &Arena, book: &Arc<Book>, bug: Option<Bug>) {
        for number in 0..plan.writers {
            // One in three goes past the proxy: while that is out of order, somebody still writes.
            let store = if number % 3 == 2 { &arena.direct } else { &arena.proxied };
            let rng = self.rng.fork();
            let mut writer = Writer::new(store.clone(), book.clone(), rng, plan.rest);
            writer.bug = bug;
            self.work.spawn(writer.run(self.stop.clone()));
        }
    }

    fn hire_lookers(&mut self, plan: &Plan, arena: &Arena, book: &Arc<Book>) {
        for _ in 0..plan.lookers {
            let looker = Looker {
                store: arena.direct.clone(),
                projections: arena.projections.clone(),
                book: book.clone(),
                rng: self.rng.fork(),
                rest: Duration::from_millis(60),
            };
            self.work.spawn(looker.run(self.stop.clone()));
        }
        let staller = Staller {
            store: arena.direct.clone(),
            book: book.clone(),
            rng: self.rng.fork(),
            rest: Duration::from_secs(3),
        };
        self.work.spawn(staller.run(self.stop.clone()));
        for store in [&arena.proxied, &arena.direct] {
            let marker = Marker {
                store: store.clone(),
                book: book.clone(),
                rng: self.rng.fork(),
                rest: Duration::from_millis(60),
                made: HashMap::new(),
            };
            self.work.spawn(marker.run(self.stop.clone()));
        }
        let commander = Commander {
            db: arena.proxied.db().clone(),
            book: book.clone(),
            rng: self.rng.fork(),
            rest: Duration::from_millis(60),
        };
        self.work.spawn(commander.run(self.stop.clone()));
        let holder = Holder {
            url: arena.url.clone(),
            book: book.clone(),
            rng: self.rng.fork(),
            rest: Duration::from_secs(3),
        };
        self.work.spawn(holder.run(self.stop.clone()));
        let (store, stop) = (arena.proxied.clone(), self.stop.clone());
        self.work.spawn(async move { drop(store.run(stop).await) });
    }

    fn hire_readers(&mut self, plan: &Plan, arena: &Arena, book: &Arc<Book>, bug: Option<Bug>) {
        for number in 0..plan.readers + plan.subscriptions {
            let store = if number % 3 == 2 { &arena.direct } else { &arena.proxied };
            let feed = if number < plan.readers {
                Feed::Source(store.clone())
            } else {
                Feed::Subscription(store.clone())
            };
            self.hire_reader(feed, book, 0);
        }
        #[cfg(feature = "planted")]
        if let Some(bug) = bug
            && let Some(planted) = crate::planted::reader::planted(bug, &arena.direct)
        {
            self.hire_reader(Feed::Planted(planted), book, 0);
        }
        #[cfg(not(feature = "planted"))]
        let _ = bug;
    }

    fn hire_reader(&mut self, feed: Feed, book: &Arc<Book>, after: u64) {
        let (number, rng) = (self.readers_hired, self.rng.fork());
        self.readers_hired += 1;
        let reader = Reader::new(number, feed, book.clone(), rng, self.goal.clone());
        self.readers.spawn(reader.after(after).run());
    }

    /// In the middle of it all, a reader that begins at what was just acknowledged.
    pub(super) async fn late_reader(&mut self, arena: &Arena, book: &Arc<Book>, at: Duration) {
        sleep(at).await;
        self.hire_reader(Feed::Source(arena.proxied.clone()), book, book.acknowledged());
    }

    /// Ends writers and lookers; who did not end, in words. What is ambiguous is insisted on first.
    pub(super) async fn stop_working(&mut self) -> Vec<String> {
        self.stop.cancel();
        ended("writers or lookers", &mut self.work).await
    }

    /// Readers end when they are there; who did not come, in words.
    pub(super) async fn reach(&mut self, position: u64) -> Vec<String> {
        self.goal.store(position, Ordering::SeqCst);
        ended("readers", &mut self.readers).await
    }

    pub(super) async fn dismiss_readers(&mut self) {
        self.readers.shutdown().await;
    }
}

/// Waits for all of them, and ends those who take too long. Of a panic, what it said.
pub(super) async fn ended(who: &str, tasks: &mut JoinSet<()>) -> Vec<String> {
    let mut trouble = Vec::new();
    let all = timeout(RECOVERY, async {
        while let Some(end) = tasks.join_next().await {
            trouble.extend(end.err().filter(JoinError::is_panic).map(|panic| panic.to_string()));
        }
    });
    if all.await.is_err() {
        trouble.push(format!("{} {who} did not end", tasks.len()));
        tasks.shutdown().await;
    }
    trouble
}
