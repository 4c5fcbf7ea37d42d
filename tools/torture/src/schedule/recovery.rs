//! The recovery: after everything has healed, everybody comes back by itself.

use std::fs;

use foldlog_eventstore::EventStore;
use foldlog_projections::Status;
use tokio::time::timeout;

use super::staff::{Staff, ended};
use super::{RECOVERY, pause};
use crate::arena::Arena;
use crate::book::Book;
use crate::domain::AccountId;
use crate::draft::{Draft, DraftPart, outcome};
use crate::history::{Expect, Outcome};

/// Appends over the pools that have been through everything, repeats what was acknowledged long ago,
/// and waits for every reader and every projection; who did not come back, in words.
pub(super) async fn recover(arena: &Arena, book: &Book, staff: &mut Staff) -> Vec<String> {
    staff.healed.cancel();
    let mut wedged = Vec::new();
    let mut last = None;
    for (store, way) in [(&arena.direct, "past the proxy"), (&arena.proxied, "over the proxy")] {
        last = last_append(store, book).await;
        if last.is_none() {
            wedged.push(format!("nothing can be appended {way}"));
        }
    }
    repeat_kept(&arena.proxied, book).await;
    let Some(last) = last else {
        staff.dismiss_readers().await;
        return wedged;
    };
    wedged.extend(staff.reach(last).await);
    wedged.extend(ended("poisons", &mut staff.poisoning).await);
    wedged.extend(project(arena, last).await);
    wedged.extend(dismiss(arena).await);
    wedged
}

/// The workers that live come to the end by themselves, but for a class that stopped: that is told to
/// try again by a start, once its cause is mended.
async fn project(arena: &Arena, last: u64) -> Vec<String> {
    let mut wedged = Vec::new();
    let come = |status: &Status| status.position.get() >= last || status.stopped.is_some();
    if !projected(arena, come).await {
        wedged.push(stand(arena, last).await);
    }
    for status in arena.projections.status().await.unwrap_or_default() {
        if let Some((at, why)) = status.stopped.filter(|(_, why)| !why.contains("is poison")) {
            let (name, class) = (status.projection, status.class);
            wedged.push(format!("{name} {class} stopped at {at}: {why}"));
        }
    }
    let mut crew = arena.field.crew.lock().await;
    for deserter in crew.deserters() {
        wedged.push(format!("worker {} ended by itself: {}", deserter.place, deserter.status));
    }
    for place in 0..crew.places() {
        if let Err(error) = crew.replace(place).await {
            wedged.push(format!("worker {place} was not started again: {error}"));
        }
    }
    drop(crew);
    if !projected(arena, |status| status.position.get() >= last).await {
        wedged.push(stand(arena, last).await);
    }
    wedged
}

async fn projected(arena: &Arena, come: impl Fn(&Status) -> bool) -> bool {
    let waiting = timeout(RECOVERY, async {
        loop {
            match arena.projections.status().await {
                Ok(all) if !all.is_empty() && all.iter().all(&come) => return,
                _ => pause().await,
            }
        }
    });
    waiting.await.is_ok()
}

async fn stand(arena: &Arena, last: u64) -> String {
    let status = arena.projections.status().await;
    format!("projections did not reach position {last}: {status:?}")
}

/// Workers end when they are told to, and none has panicked but at a poison.
async fn dismiss(arena: &Arena) -> Vec<String> {
    let mut crew = arena.field.crew.lock().await;
    let forced = crew.dismiss(RECOVERY).await;
    let mut wedged: Vec<String> =
        forced.iter().map(|place| format!("worker {place} did not end when told to")).collect();
    for place in 0..crew.places() {
        let log = fs::read_to_string(crew.log(place)).unwrap_or_default();
        let mut lines = log.lines();
        while let Some(line) = lines.next() {
            let said = lines.clone().next().unwrap_or_default();
            if line.contains("panicked at") && !said.ends_with("is poison") {
                wedged.push(format!("worker {place}: {line} {said}"));
            }
        }
    }
    wedged
}

async fn last_append(store: &EventStore, book: &Book) -> Option<u64> {
    let number = book.number();
    let events = vec![(Book::mark(number, 1), 1)];
    let account = AccountId("last".to_owned());
    let parts = vec![DraftPart { account, expect: Expect::Any, events }];
    let draft = Draft { number, id: None, parts };
    let request = draft.request();
    let appending = timeout(RECOVERY, async {
        loop {
            let begun = book.recorder.now();
            let result = timeout(RECOVERY / 10, store.append(&request)).await;
            let ended = result.map_or(Outcome::Unknown, |result| outcome(book, &result));
            let position = match &ended {
                Outcome::Done { positions, .. } => positions.first().copied(),
                _ => None,
            };
            book.append(draft.record(book, begun, 0, ended));
            match position {
                Some(position) => return position,
                None => pause().await,
            }
        }
    });
    appending.await.ok()
}

/// What was acknowledged, at whatever time, answers the same again.
async fn repeat_kept(store: &EventStore, book: &Book) {
    for (draft, request) in book.kept() {
        let begun = book.recorder.now();
        let result = timeout(RECOVERY / 10, store.append(&request)).await;
        let ended = result.map_or(Outcome::Unknown, |result| outcome(book, &result));
        book.append(draft.record(book, begun, 0, ended));
    }
}
