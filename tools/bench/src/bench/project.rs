//! A view over stored events, from the first to the last: what a rebuild takes.

use std::time::{Duration, Instant};

use foldlog::App;
use serde_json::json;

use crate::Failure;
use crate::account::{Account, Balance};
use crate::bed::{Bed, has_caught_up};
use crate::callers::{Measured, Rounds};
use crate::figures::Latencies;
use crate::plain::Session;
use crate::report::{Line, Report};
use crate::run::{Run, in_turn};
use crate::streams::Accounts;

const EVENTS: i64 = 500_000;
const ACCOUNTS: i64 = 10_000;
const ACCOUNTS_SMOKE: i64 = 500;
const LOOK: Duration = Duration::from_millis(5);
/// No size that is asked for takes longer than this.
const PATIENCE: Duration = Duration::from_secs(1_800);

pub async fn measure(run: &Run<'_>) -> Result<Report, Failure> {
    let bed = Bed::open(run.server, "project").await?;
    let count = if run.arguments.smoke { ACCOUNTS_SMOKE } else { ACCOUNTS };
    let each = (run.arguments.size_or(EVENTS) / count).max(1);
    bed.fill(Accounts { first: 0, count, version: each.unsigned_abs() }).await?;
    let events = count * each;
    bed.check(events).await?;
    let session = Session::open(bed.endpoint()).await?;
    session.client.batch_execute(include_str!("../../sql/balance_create.sql")).await?;
    let (mut ours, mut limit) = (Rounds::default(), Rounds::default());
    // Round 0 brings the rows into memory and is not counted.
    for round in 0..=run.arguments.rounds() {
        for is_ours in in_turn(round, [true, false]) {
            run.checkpoint().await?;
            let watch = run.machine.quiet().await?;
            let (measured, rounds) = if is_ours {
                (catch_up(&bed, events).await?, &mut ours)
            } else {
                (insert(&session, events).await?, &mut limit)
            };
            watch.end()?;
            if round > 0 {
                rounds.push(measured);
            }
        }
        bed.check_view(count).await?;
        bed.app().retire("balance").await?;
        session.client.batch_execute(include_str!("../../sql/balance_empty.sql")).await?;
    }
    session.close().await;
    bed.close(run.server).await?;
    Ok(Report {
        bench: "project",
        limit: "one insert from a select with group by, of the balances alone",
        lines: vec![Line::new("from App::start to the last event, times of all", 1, &ours, &limit)],
        facts: vec![("size", json!(events)), ("rows", json!(count))],
    })
}

/// Begins an app with the view, and waits until that holds every event. Its start is part of it.
async fn catch_up(bed: &Bed, events: i64) -> Result<Measured, Failure> {
    let begun = Instant::now();
    let app = App::builder(bed.db().clone()).aggregate::<Account>().view::<Balance>();
    let app = app.start().await?;
    // The events were filled in without a gap, so their number is the last position.
    while !has_caught_up(&app, events.unsigned_abs()).await? {
        if begun.elapsed() > PATIENCE {
            return Err("the view did not come to the last event in half an hour".into());
        }
        tokio::time::sleep(LOOK).await;
    }
    let took = begun.elapsed();
    app.shutdown().await?;
    Ok(pass(events, took))
}

/// The limit: all balances at once.
async fn insert(session: &Session, events: i64) -> Result<Measured, Failure> {
    let begun = Instant::now();
    session.client.execute(include_str!("../../sql/balance_insert.sql"), &[]).await?;
    Ok(pass(events, begun.elapsed()))
}

fn pass(events: i64, took: Duration) -> Measured {
    let mut latencies = Latencies::default();
    latencies.record(took);
    let per_s = events as f64 / took.as_secs_f64();
    Measured { per_s, events: events.unsigned_abs(), latencies }
}
