//! Appends while a user's transaction holds one of the streams.

use std::time::Duration;

use foldlog::{App, StreamEvents};
use serde_json::json;
use tokio::sync::oneshot;

use crate::Failure;
use crate::bed::Bed;
use crate::bench::append::{Appender, streams};
use crate::callers::{Measured, Rounds, drive};
use crate::report::{Line, Report, rounded};
use crate::run::{Run, in_turn};
use crate::streams::Accounts;

pub async fn measure(run: &Run<'_>) -> Result<Report, Failure> {
    let bed = Bed::open(run.server, "append_busy").await?;
    let clients = run.arguments.clients();
    let hold = if run.arguments.smoke { 400 } else { 10_000 };
    let hold = Duration::from_millis(hold);
    let accounts = Accounts { first: 0, count: streams(run, clients), version: 1 };
    bed.fill(accounts).await?;
    let mut callers = Appender::several(bed.app(), accounts, clients);
    let mut events = accounts.count;
    let (mut held, mut free) = (Rounds::default(), Rounds::default());
    for round in 0..=run.arguments.rounds() {
        let time = if round == 0 { run.warming() } else { run.arguments.time() };
        for is_held in in_turn(round, [false, true]) {
            if is_held && round == 0 {
                continue;
            }
            run.checkpoint().await?;
            let watch = run.machine.quiet().await?;
            let (measured, back) = if is_held {
                while_held(bed.app(), callers, hold).await?
            } else {
                drive(callers, time).await?
            };
            watch.end()?;
            callers = back;
            events += i64::try_from(measured.events)?;
            if round > 0 {
                let rounds = if is_held { &mut held } else { &mut free };
                rounds.push(measured);
            }
        }
    }
    bed.check(events).await?;
    let busy: u64 = callers.iter().map(|caller| caller.busy).sum();
    let facts = vec![
        ("connections", json!(bed.connections())),
        ("held_s", json!(hold.as_secs_f64())),
        ("longest_ms", json!(rounded(held.longest_ms()))),
        ("answered_busy", json!(busy)),
    ];
    drop(callers);
    bed.close(run.server).await?;
    let label = format!("{clients} callers, a stream of one of them held");
    Ok(Report {
        bench: "append-busy",
        limit: "the same callers without the user's transaction",
        lines: vec![Line::new(label, clients, &held, &free)],
        facts,
    })
}

/// Drives the callers while a transaction holds the stream that one of them wants first.
async fn while_held(
    app: &App,
    callers: Vec<Appender>,
    hold: Duration,
) -> Result<(Measured, Vec<Appender>), Failure> {
    let wanted = callers.first().map(Appender::next).ok_or("there is no caller")?;
    let (held, is_held) = oneshot::channel();
    let holding = hold_stream(app, wanted, hold, held);
    let driving = async {
        // If the holder fails instead, its own error is the one that counts.
        if is_held.await.is_err() {
            return Ok((Measured::default(), Vec::new()));
        }
        drive(callers, hold).await
    };
    let (holding, driving) = tokio::join!(holding, driving);
    holding?;
    driving
}

/// The user's transaction: it appends, stays open, and changes its mind.
async fn hold_stream(
    app: &App,
    events: StreamEvents,
    hold: Duration,
    held: oneshot::Sender<()>,
) -> Result<(), Failure> {
    let mut transaction = app.db().pool().begin().await?;
    app.append_in(&mut transaction, [events]).await?;
    // Nobody hears it only if the callers have failed, and then they say so.
    let _heard = held.send(());
    tokio::time::sleep(hold).await;
    Ok(transaction.rollback().await?)
}
