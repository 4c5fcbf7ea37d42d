//! Connections that are lost in the middle, and servers: what was told is there once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use foldlog_core::ErrorKind;
use foldlog_core::Expected::{Any, NoStream};
use foldlog_eventstore::{AppendError, EventStore};
use foldlog_testkit::wait_until;
use futures_util::future::join_all;
use tokio::task::JoinHandle;

use super::Grouped;
use crate::support::{Bench, PATIENCE, noted, number, request};

const TASKS: u32 = 24;

impl<D> Grouped<D> {
    /// Ends all sessions of the group, and waits for their end. How many there were.
    pub(super) async fn end_sessions(&self) -> i64 {
        let sql = "select count(pg_terminate_backend(pid, 20000)) from pg_stat_activity
            where datname = current_database() and application_name = 'foldlog append'";
        number(&mut self.session().await, sql).await
    }
}

/// Tasks that append until they are told to stop.
pub(super) struct Traffic {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicU32>,
    tasks: Vec<JoinHandle<Told>>,
}

/// Numbers of events that were acknowledged, and of those of which nobody knows.
#[derive(Default)]
pub(super) struct Told {
    done: BTreeSet<u32>,
    unknown: BTreeSet<u32>,
}

impl Traffic {
    pub(super) fn on(store: &EventStore) -> Self {
        let (stop, done) = (Arc::<AtomicBool>::default(), Arc::<AtomicU32>::default());
        let write = |task| {
            let (store, stop, done) = (store.clone(), stop.clone(), done.clone());
            tokio::spawn(async move { write(&store, task, &stop, &done).await })
        };
        let tasks = (0..TASKS).map(write).collect();
        Self { stop, done, tasks }
    }

    /// Waits until so many more were acknowledged.
    pub(super) async fn goes_on(&self, more: u32) {
        let from = self.done.load(Ordering::Relaxed);
        wait_until(PATIENCE, async || self.done.load(Ordering::Relaxed) >= from + more).await;
    }

    pub(super) async fn end(self) -> Told {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Told::default();
        for told in join_all(self.tasks).await {
            let told = told.unwrap();
            all.done.extend(told.done);
            all.unknown.extend(told.unknown);
        }
        all
    }
}

async fn write(store: &EventStore, task: u32, stop: &AtomicBool, done: &AtomicU32) -> Told {
    let mut told = Told::default();
    let mut numbers = (task * 1_000_000..).step_by(2);
    while !stop.load(Ordering::Relaxed) {
        let n = numbers.next().unwrap();
        // Repeated by a receipt, or by the ids of the events.
        let second = match n % 4 {
            0 => noted(&format!("note-{n}"), NoStream, n + 1),
            _ => noted(&format!("note-warm{}", task % 5), Any, n + 1),
        };
        let hot = noted("note-hot", Any, n);
        let (parts, made) = match n % 8 {
            4 => (vec![second], vec![n + 1]),
            _ => (vec![second, hot], vec![n, n + 1]),
        };
        match store.append(&request(parts)).await {
            Ok(_) => {
                told.done.extend(made);
                done.fetch_add(1, Ordering::Relaxed);
            }
            Err(AppendError::Store(error)) if error.kind() == ErrorKind::Unavailable => {
                told.unknown.extend(made);
            }
            Err(error) => panic!("{error}"),
        }
    }
    told
}

impl Told {
    /// What was acknowledged is there, none twice, and nothing that nobody asked for.
    pub(super) async fn holds<D>(&self, group: &Grouped<D>) {
        let there: BTreeSet<_> = group.numbers().await.into_keys().collect();
        let lost: Vec<_> = self.done.difference(&there).collect();
        assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
        let mut asked = self.done.union(&self.unknown);
        assert!(there.iter().all(|n| asked.any(|asked| asked == n)), "nobody asked for it");
        println!("{} events acknowledged, {} unknown", self.done.len(), self.unknown.len());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_that_end_in_traffic_lose_nothing_and_double_nothing() {
    let group = Grouped::new().await;
    let traffic = Traffic::on(&group.store);
    for _ in 0..12 {
        traffic.goes_on(60).await;
        assert!(group.end_sessions().await > 0);
    }
    traffic.goes_on(60).await;
    let told = traffic.end().await;
    told.holds(&group).await;
    assert!(group.sessions().await > 0, "the group is at work again");
}

#[tokio::test]
async fn a_session_that_ended_in_the_quiet_is_replaced_unnoticed() {
    let group = Grouped::new().await;
    for version in 1..=5 {
        let appended = group.append("note-a", Any, 1).await;
        assert_eq!((appended.streams[0].version, appended.repeated), (version, false));
        group.end_sessions().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_crashes_in_traffic_loses_nothing_and_doubles_nothing() {
    let mut group = Grouped::on(Bench::alone(&[]).await).await;
    let traffic = Traffic::on(&group.store);
    for _ in 0..2 {
        traffic.goes_on(100).await;
        group.bench.crash().await;
    }
    traffic.goes_on(100).await;
    let told = traffic.end().await;
    told.holds(&group).await;
    assert!(group.sessions().await > 0, "the group is at work again");
}
