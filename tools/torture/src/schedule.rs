//! One schedule: everybody works, faults strike, everything heals, and the record is judged.

mod recovery;
mod staff;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use foldlog_core::{Error, ErrorKind};
use futures_util::future::{join, join_all};
use tokio::time::{Instant, sleep, timeout};

use crate::arena::Arena;
use crate::book::Book;
use crate::bug::Bug;
use crate::check::{Finding, check};
use crate::collect::collect;
use crate::fault::tamper;
use crate::field::Field;
use crate::history::{Answer, History, LoadKind, Outcome, Truth};
use crate::plan::Plan;
use crate::recorder::Recorder;
use staff::Staff;

/// How long everybody may take to come back after everything has healed.
const RECOVERY: Duration = Duration::from_secs(60);
/// What a schedule may take beyond its time: longer than all its patience together.
const BEYOND: Duration = Duration::from_secs(480);

/// What a schedule came to.
pub struct Verdict {
    pub events: usize,
    pub faults: BTreeMap<&'static str, usize>,
    /// Faults that found nothing to strike, or came to nothing.
    pub missed: BTreeMap<&'static str, usize>,
    /// How many calls of which kind there are to judge.
    pub calls: BTreeMap<&'static str, usize>,
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
    let whole = timeout(plan.time + BEYOND, run_through(plan, program, folder, bug)).await;
    whole.unwrap_or_else(|_| {
        Err(Error::new(ErrorKind::Unavailable, "the schedule did not come to its end"))
    })
}

async fn run_through(
    plan: &Plan,
    program: &Path,
    folder: &Path,
    bug: Option<Bug>,
) -> Result<Verdict, Error> {
    let recorder = Arc::new(Recorder::new());
    let book = Arc::new(Book::new(recorder.clone()));
    let arena = Arena::make(plan, &book, program, folder, bug).await?;
    let mut rng = Rng::with_seed(plan.seed);
    let mut staff = Staff::hire(plan, &arena, &book, &mut rng, bug);

    let striking = strike(plan, &arena.field, &mut rng);
    let (missed, ()) = join(striking, staff.late_reader(&arena, &book, plan.time / 2)).await;
    let mut wedged = staff.stop_working().await;
    if let Err(error) = arena.field.heal().await {
        wedged.push(format!("not everything could be healed: {error}"));
    }
    wedged.extend(recovery::recover(&arena, &book, &mut staff).await);
    let _none_left = tamper::attempt(&arena.field).await;
    let mut truth = collect(&arena.direct, &book).await?;
    truth.wedged = wedged;
    truth.surprises = book.surprises();
    arena.close().await;
    Ok(Verdict { missed, ..judge(recorder.take(), truth).await })
}

async fn judge(history: History, truth: Truth) -> Verdict {
    let mut faults = BTreeMap::new();
    for fault in &history.faults {
        *faults.entry(fault.kind).or_default() += 1;
    }
    let calls = calls(&history, &truth);
    let events = truth.events.len();
    let judging = tokio::task::spawn_blocking(move || check(&history, &truth));
    let findings = judging.await.unwrap_or_else(|panic| {
        let text = format!("the checker broke off: {panic}");
        vec![Finding { guarantee: "none", text, excerpt: Vec::new() }]
    });
    Verdict { events, faults, missed: BTreeMap::new(), calls, findings }
}

/// What there is to judge, by kind: of a kind that never came nothing was decided.
fn calls(history: &History, truth: &Truth) -> BTreeMap<&'static str, usize> {
    let loads =
        |which: fn(LoadKind) -> bool| history.loads.iter().filter(|load| which(load.kind)).count();
    let ended = |which: fn(&Outcome) -> bool| {
        history.appends.iter().filter(|append| which(&append.outcome)).count()
    };
    BTreeMap::from([
        ("append", history.appends.len()),
        ("append-unknown", ended(|outcome| *outcome == Outcome::Unknown)),
        ("append-refused", ended(|outcome| matches!(outcome, Outcome::Conflict { .. }))),
        (
            "append-repeated",
            ended(|outcome| matches!(outcome, Outcome::Done { repeated: true, .. })),
        ),
        ("append-overtaken", ended(|outcome| matches!(outcome, Outcome::Overtaken { .. }))),
        ("decision", history.decisions.len()),
        ("transaction", history.transactions.len()),
        ("page", history.pages.len()),
        ("state", loads(|kind| kind == LoadKind::State)),
        ("fresh", loads(|kind| kind == LoadKind::Fresh)),
        ("at-least", loads(|kind| matches!(kind, LoadKind::AtLeast(_)))),
        ("as-it-is", loads(|kind| kind == LoadKind::AsItIs)),
        ("sum", history.sums.len()),
        ("view-shot", history.shots.len()),
        ("stall", history.stalls.len()),
        ("poison", history.poisons.len()),
        ("append-closed", ended(|outcome| matches!(outcome, Outcome::Closed { .. }))),
        ("mark", history.markings.len()),
        ("mark-unknown", history.markings.iter().filter(|m| m.answer == Answer::Unknown).count()),
        ("mark-stored", truth.marks.len()),
        ("stream-read", history.reads.len()),
        ("aggregate", history.states.len()),
        ("snapshot", usize::try_from(truth.snapshots).unwrap_or(usize::MAX)),
        ("hold", history.holds.len()),
        ("tamper", history.tampers.len()),
        ("claim", truth.audit.iter().filter(|row| row.old_epoch != row.new_epoch).count()),
    ])
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

/// A pause between two looks at the same thing.
async fn pause() {
    sleep(Duration::from_millis(50)).await;
}
