//! One schedule: everybody works, faults strike, everything heals, and the record is judged.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use fastrand::Rng;
use foldlog_core::Error;
use futures_util::future::join_all;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::arena::Arena;
use crate::book::Book;
use crate::bug::Bug;
use crate::check::{Finding, check};
use crate::collect::collect;
use crate::domain::{AccountId, signed};
use crate::draft::{Draft, DraftPart, outcome};
use crate::field::Field;
use crate::history::{Expect, History, Outcome, Truth};
use crate::look::Looker;
use crate::plan::Plan;
use crate::poison::Poisoner;
use crate::reader::{From, Goal, Reader};
use crate::recorder::Recorder;
use crate::stall::Staller;
use crate::writer::Writer;

/// How long everybody may take to come back after everything has healed.
const RECOVERY: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(50);

/// What a schedule came to.
pub struct Verdict {
    pub events: usize,
    pub calls: usize,
    pub faults: BTreeMap<&'static str, usize>,
    /// Faults that found nothing to strike, or came to nothing.
    pub missed: BTreeMap<&'static str, usize>,
    pub findings: Vec<Finding>,
}

/// Runs a plan.
///
/// # Errors
///
/// What went wrong before the first fault, or when the truth was read: neither says anything about
/// the guarantees.
pub async fn run(
    plan: &Plan,
    program: &Path,
    folder: &Path,
    bug: Option<Bug>,
) -> Result<Verdict, Error> {
    let recorder = Arc::new(Recorder::new());
    let book = Arc::new(Book::new(recorder.clone()));
    let arena = Arena::make(plan, &book, program, folder, bug).await?;
    let mut rng = Rng::with_seed(plan.seed);
    let stop = CancellationToken::new();
    let goal = Goal::default();
    let mut work = JoinSet::new();
    writers(plan, &arena, &book, &mut rng, bug, &stop, &mut work);
    lookers(plan, &arena, &book, &mut rng, &stop, &mut work);
    let mut readers = readers(plan, &arena, &book, &mut rng, bug, &goal);
    let carrying = stop.clone();
    let store = arena.store.clone();
    work.spawn(async move { drop(store.run(carrying).await) });

    let missed = strike(plan, &arena.field, &mut rng).await;
    stop.cancel();
    let mut wedged = Vec::new();
    if timeout(RECOVERY, all(&mut work)).await.is_err() {
        wedged.push(format!("{} writers or lookers did not end", work.len()));
        work.shutdown().await;
    }
    if let Err(error) = arena.field.heal().await {
        wedged.push(format!("not everything could be healed: {error}"));
    }
    wedged.extend(recover(&arena, &book, &goal, &mut readers).await);
    let forced = arena.field.crew.lock().await.dismiss(RECOVERY).await;
    wedged.extend(forced.iter().map(|place| format!("worker {place} did not end when told to")));
    let mut truth = collect(&arena.direct, &book).await?;
    truth.wedged = wedged;
    truth.wedged.extend(book.surprises());
    arena.close().await;
    Ok(Verdict { missed, ..judge(recorder.take(), truth).await })
}

async fn judge(history: History, truth: Truth) -> Verdict {
    let mut faults = BTreeMap::new();
    for fault in &history.faults {
        *faults.entry(fault.kind).or_default() += 1;
    }
    let calls = history.appends.len() + history.pages.len() + history.loads.len();
    let events = truth.events.len();
    let judging = tokio::task::spawn_blocking(move || check(&history, &truth));
    let findings = judging.await.unwrap_or_else(|panic| {
        let text = format!("the checker broke off: {panic}");
        vec![Finding { guarantee: "-", text, excerpt: Vec::new() }]
    });
    Verdict { events, calls, faults, missed: BTreeMap::new(), findings }
}

fn writers(
    plan: &Plan,
    arena: &Arena,
    book: &Arc<Book>,
    rng: &mut Rng,
    bug: Option<Bug>,
    stop: &CancellationToken,
    work: &mut JoinSet<()>,
) {
    for number in 0..plan.writers {
        // One in three goes past the proxy: while that is out of order, somebody still writes.
        let store = if number % 3 == 2 { &arena.direct } else { &arena.store };
        let mut writer = Writer::new(store.clone(), book.clone(), rng.fork(), plan.rest);
        writer.bug = bug;
        work.spawn(writer.run(stop.clone()));
    }
    let staller = Staller {
        store: arena.direct.clone(),
        book: book.clone(),
        rng: rng.fork(),
        rest: Duration::from_secs(3),
    };
    work.spawn(staller.run(stop.clone()));
    if plan.poison {
        let poisoner = Poisoner { store: arena.direct.clone(), book: book.clone() };
        let stop = stop.clone();
        work.spawn(async move { drop(poisoner.run(stop).await) });
    }
}

fn lookers(
    plan: &Plan,
    arena: &Arena,
    book: &Arc<Book>,
    rng: &mut Rng,
    stop: &CancellationToken,
    work: &mut JoinSet<()>,
) {
    for _ in 0..plan.lookers {
        let looker = Looker {
            store: arena.direct.clone(),
            projections: arena.projections.clone(),
            book: book.clone(),
            rng: rng.fork(),
            rest: Duration::from_millis(60),
        };
        work.spawn(looker.run(stop.clone()));
    }
}

fn readers(
    plan: &Plan,
    arena: &Arena,
    book: &Arc<Book>,
    rng: &mut Rng,
    bug: Option<Bug>,
    goal: &Goal,
) -> JoinSet<()> {
    let mut readers = JoinSet::new();
    let store = |number| if number % 3 == 2 { arena.direct.clone() } else { arena.store.clone() };
    for number in 0..plan.readers + plan.subscriptions {
        let from = if number < plan.readers {
            From::Source(store(number))
        } else {
            From::Subscription(store(number))
        };
        let reader = Reader::new(number, from, book.clone(), rng.fork(), goal.clone());
        readers.spawn(reader.run());
    }
    #[cfg(feature = "planted")]
    if let Some(planted) = bug.and_then(|bug| crate::planted::reader::planted(bug, &arena.direct)) {
        let from = From::Planted(planted);
        let number = plan.readers + plan.subscriptions;
        let reader = Reader::new(number, from, book.clone(), rng.fork(), goal.clone());
        readers.spawn(reader.run());
    }
    #[cfg(not(feature = "planted"))]
    let _ = bug;
    readers
}

/// Each fault at its time, whether or not the one before has ended; which came to nothing.
async fn strike(plan: &Plan, field: &Field, rng: &mut Rng) -> BTreeMap<&'static str, usize> {
    let start = Instant::now();
    let missed = RefCell::new(BTreeMap::new());
    let strikes = plan.strikes.iter().map(|(at, kind)| {
        let (rng, missed) = (rng.fork(), &missed);
        async move {
            tokio::time::sleep_until(start + *at).await;
            if kind.strike(field, rng).await.is_err() {
                *missed.borrow_mut().entry(kind.name()).or_default() += 1;
            }
        }
    });
    // What is not over by then is healed.
    let _over = timeout(plan.time + RECOVERY, join_all(strikes)).await;
    tokio::time::sleep_until(start + plan.time).await;
    missed.into_inner()
}

async fn all<T: 'static>(tasks: &mut JoinSet<T>) {
    while tasks.join_next().await.is_some() {}
}

/// Everything works again: an append through the proxy, every reader, every projection. Who does not
/// come back, in words.
async fn recover(
    arena: &Arena,
    book: &Arc<Book>,
    goal: &Goal,
    readers: &mut JoinSet<()>,
) -> Vec<String> {
    let mut wedged = Vec::new();
    // A start is an order to try again what stopped.
    let mut crew = arena.field.crew.lock().await;
    for place in 0..crew.places() {
        if let Err(error) = crew.replace(place).await {
            wedged.push(format!("worker {place} was not started again: {error}"));
        }
    }
    drop(crew);
    let Some(last) = last_append(arena, book).await else {
        wedged.push("nothing can be appended after everything has healed".to_owned());
        readers.shutdown().await;
        return wedged;
    };
    goal.store(last, Ordering::SeqCst);
    if timeout(RECOVERY, all(readers)).await.is_err() {
        wedged.push(format!("{} readers did not reach position {last}", readers.len()));
        readers.shutdown().await;
    }
    let projected = timeout(RECOVERY, async {
        while !matches!(is_projected(arena, last).await, Ok(true)) {
            sleep(POLL).await;
        }
    });
    if projected.await.is_err() {
        let status = arena.projections.status().await;
        wedged.push(format!("projections did not reach position {last}: {status:?}"));
    }
    wedged
}

/// An append over the pool that has been through everything.
async fn last_append(arena: &Arena, book: &Book) -> Option<u64> {
    let number = book.number();
    let events = vec![(Book::mark(number, 1), 1)];
    let account = AccountId("last".to_owned());
    let parts = vec![DraftPart { account, expect: Expect::Any, events }];
    let draft = Draft { number, id: None, parts };
    let request = draft.request();
    let until = Instant::now() + RECOVERY;
    while Instant::now() < until {
        let begun = book.recorder.now();
        let result = timeout(POLL * 100, arena.store.append(&request)).await;
        let ended = result.map_or(Outcome::Unknown, |result| outcome(book, &result));
        let position = match &ended {
            Outcome::Done { positions, .. } => positions.first().copied(),
            _ => None,
        };
        book.append(draft.record(book, begun, 0, ended));
        if position.is_some() {
            return position;
        }
        sleep(POLL).await;
    }
    None
}

async fn is_projected(arena: &Arena, position: u64) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(include_str!("../sql/checkpoint_reached.sql"))
        .bind(signed(position))
        .fetch_one(arena.direct.db().own_pool())
        .await
}
