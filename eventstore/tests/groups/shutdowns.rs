//! The group's ends and beginnings: an append is answered by whoever is there.

use std::collections::BTreeSet;

use foldlog_core::Expected::{Any, NoStream};
use foldlog_testkit::wait_until;
use futures_util::future::join_all;

use super::losses::Traffic;
use super::{Grouped, one, opened};
use crate::support::{PATIENCE, run};

impl Grouped {
    async fn shut_down(&mut self) {
        self.shutdown.cancel();
        (&mut self.running).await.unwrap().unwrap();
        wait_until(PATIENCE, async || self.sessions().await == 0).await;
    }

    async fn open_again(&mut self) {
        (self.shutdown, self.running) = opened(&self.store).await;
    }
}

#[tokio::test]
async fn what_was_asked_for_before_the_shutdown_is_answered_and_later_appends_work() {
    let mut group = Grouped::new().await;
    let mut holder = group.plugged().await;
    let asked = (0..300).map(|n| group.appending(one(&format!("note-{n}"), NoStream, n)));
    let asked: Vec<_> = asked.collect();
    group.waiting(2).await;
    group.shutdown.cancel();
    // From here on an append is a call of its own, and waits for the same table.
    let late = loop {
        let late = group.appending(one("note-late", Any, 1_000));
        if group.store.db().pool().size() > 0 {
            break late;
        }
        late.abort();
    };
    assert!(!group.running.is_finished());
    run(&mut holder, "commit").await;
    for asked in join_all(asked).await {
        asked.unwrap().unwrap();
    }
    late.await.unwrap().unwrap();
    group.shut_down().await;
    assert!(group.commits().await < 10, "in groups");
    group.append("note-after", NoStream, 2_000).await;
    assert_eq!(group.sessions().await, 0);

    group.open_again().await;
    let results = group.gathered((3_000..3_100).map(|n| one("note-again", Any, n))).await;
    let versions: BTreeSet<_> = results.iter().map(super::Gathered::version).collect();
    assert_eq!(versions, (1..=100).collect());
    group.shut_down().await;
    assert!(group.numbers().await.len() >= 401);
}

#[tokio::test]
async fn a_shutdown_breaks_off_what_is_not_answered_and_it_is_made_once_elsewhere() {
    let mut group = Grouped::new().await;
    let mut holder = group.plugged().await;
    let asked = (0..6).map(|n| group.appending(one(&format!("note-{n}"), NoStream, n)));
    let asked: Vec<_> = asked.collect();
    group.waiting(2).await;
    group.shutdown.cancel();
    // Nobody lets go of the table: the calls would wait their time out, and those of the second lane
    // after them.
    let ended = tokio::time::timeout(PATIENCE, &mut group.running).await;
    ended.expect("the run does not end").unwrap().unwrap();
    run(&mut holder, "commit").await;
    for asked in join_all(asked).await {
        asked.unwrap().unwrap();
    }
    assert_eq!(group.numbers().await.len(), 6);
}

#[tokio::test]
async fn a_shutdown_waits_for_those_in_the_second_lane() {
    let mut group = Grouped::new().await;
    group.append("note-held", NoStream, 1).await;
    let mut holder = group.begun().await;
    run(&mut holder, "select from foldlog.stream where name = 'note-held' for update").await;
    let waiting = [2, 3].map(|n| group.appending(one("note-held", Any, n)));
    group.waiting(1).await;
    group.shutdown.cancel();
    group.appending(one("note-other", Any, 4)).await.unwrap().unwrap();
    assert!(!group.running.is_finished());
    run(&mut holder, "commit").await;
    for appending in waiting {
        appending.await.unwrap().unwrap();
    }
    group.shut_down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_that_comes_and_goes_in_traffic_loses_nothing_and_doubles_nothing() {
    let mut group = Grouped::new().await;
    let traffic = Traffic::on(&group.store);
    for round in 0..8 {
        traffic.goes_on(60).await;
        if round % 2 == 0 {
            group.shut_down().await;
        } else {
            group.running.abort();
            assert!((&mut group.running).await.unwrap_err().is_cancelled());
        }
        traffic.goes_on(60).await;
        group.open_again().await;
    }
    let told = traffic.end().await;
    told.holds(&group).await;
}

#[tokio::test]
async fn the_end_of_one_run_leaves_another_at_work() {
    let mut group = Grouped::new().await;
    let (shutdown, running) = opened(&group.store).await;
    group.shutdown.cancel();
    (&mut group.running).await.unwrap().unwrap();
    group.append("note-a", NoStream, 1).await;
    let results = group.gathered((0..50).map(|n| one(&format!("note-b{n}"), NoStream, n))).await;
    assert!(results.iter().all(|result| result.version() == 1));
    shutdown.cancel();
    running.await.unwrap().unwrap();
    group.append("note-a", Any, 1).await;
}
