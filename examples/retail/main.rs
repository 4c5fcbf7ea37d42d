//! Plays the sales of an online shop, line by line, through foldlog, and reconciles the read models
//! with the file.
//!
//! In reading order: [`line`] and [`stock`] are the domain, [`views`] the read models, [`lanes`]
//! plays a file, [`reconcile`] works out from the file alone what must have come of it.
#![allow(unreachable_pub, reason = "a program: its modules are private, and nothing reaches out")]

mod arguments;
mod balance;
mod input;
mod invoice;
mod lanes;
mod line;
mod models;
mod only;
mod progress;
mod reconcile;
mod report;
mod stock;
mod table;
mod views;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use foldlog::prelude::*;
use tokio_util::sync::CancellationToken;

use crate::arguments::{Arguments, Asked};
use crate::input::{Input, Survey};
use crate::models::Models;
use crate::only::Only;
use crate::progress::{Played, Teller, grouped};
use crate::report::Summary;

/// What ends a run: a paragraph that names the thing and the remedy.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

enum End {
    Reconciled,
    Mismatched,
    Interrupted,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = match arguments::read(std::env::args_os().skip(1)) {
        Ok(Asked::Run(arguments)) => arguments,
        Ok(Asked::Help) => {
            println!("{}", arguments::HELP);
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("error: {error}. `--help` lists the options.");
            return ExitCode::from(2);
        }
    };
    let stop = CancellationToken::new();
    let running = run(&arguments, &stop);
    tokio::pin!(running);
    let end = tokio::select! {
        end = &mut running => end,
        _ = tokio::signal::ctrl_c() => {
            eprintln!("\nstopping; once more to stop at once");
            stop.cancel();
            tokio::select! {
                end = running => end,
                _ = tokio::signal::ctrl_c() => Ok(End::Interrupted),
            }
        }
    };
    match end {
        Ok(End::Reconciled) => ExitCode::SUCCESS,
        Ok(End::Mismatched) => ExitCode::FAILURE,
        Ok(End::Interrupted) => {
            eprintln!("stopped; the next run goes on where this one ended");
            // As a shell says it of a program that Ctrl-C ended.
            ExitCode::from(130)
        }
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments, stop: &CancellationToken) -> Result<End, Failure> {
    let input = match &arguments.input {
        Some(path) => Input::open(path)?,
        None => Input::found()?,
    };
    let reader = input.clone();
    let survey = tokio::task::spawn_blocking(move || reader.survey()).await??;
    eprintln!("{}: {} lines", input.path().display(), grouped(survey.lines));

    let db = Db::from_env().await?;
    eprintln!("{}", db.description());
    let end = play(arguments, &db, &input, &survey, stop).await;
    db.close().await;
    end
}

async fn play(
    arguments: &Arguments,
    db: &Db,
    input: &Input,
    survey: &Survey,
    stop: &CancellationToken,
) -> Result<End, Failure> {
    // Let go of at the end, however that comes.
    let _only = Only::here(db).await?;
    if arguments.drop_view {
        models::drop_all(db).await?;
    }
    // Every file is a tenant: a store can hold several, and none gets into the other's totals.
    let tenant = Tenant::new(&survey.sha256)?;
    let app = models::app(db).start().await?;
    let played = Arc::new(Played::default());
    let mut teller = Teller::new(survey.lines);

    let begun = Instant::now();
    let work = async {
        let app = app.tenant(tenant.clone());
        let last = lanes::play(&app, input, survey, arguments.lanes, &played, stop).await?;
        match last {
            Some(token) if !stop.is_cancelled() => tokio::select! {
                caught_up = models::caught_up(&app, &token) => caught_up,
                () = stop.cancelled() => Ok(()),
            },
            _ => Ok(()),
        }
    };
    let done = told(work, &app, &played, &mut teller).await;
    let seconds = begun.elapsed().as_secs_f64();
    // First what went wrong while playing: a failed shutdown would only be what followed from it.
    let shutdown = app.shutdown().await;
    done?;
    shutdown?;
    if stop.is_cancelled() {
        return Ok(End::Interrupted);
    }
    let models = Models::read(db, &tenant).await?;
    let events_per_s = (played.events() as f64 / seconds) as u64;
    finish(arguments, input, survey, &models, events_per_s).await
}

/// Tells the progress of work until it is done.
async fn told<T>(
    work: impl Future<Output = Result<T, Failure>>,
    app: &App,
    played: &Played,
    teller: &mut Teller,
) -> Result<T, Failure> {
    tokio::pin!(work);
    let done = loop {
        let pause = teller.pause();
        tokio::select! {
            done = &mut work => break done,
            () = tokio::time::sleep(pause) => {
                // A read model that stopped ends the run here, not after the last line.
                match models::lags(app, played.position()).await {
                    Ok(lags) => teller.tell(played, &lags),
                    Err(failure) => break Err(failure),
                }
            }
        }
    };
    teller.end();
    done
}

async fn finish(
    arguments: &Arguments,
    input: &Input,
    survey: &Survey,
    models: &Models,
    events_per_s: u64,
) -> Result<End, Failure> {
    for table in report::tables(models, arguments.list_refused) {
        println!("{table}");
    }
    let reader = input.clone();
    let (expected, sha256) =
        tokio::task::spawn_blocking(move || reconcile::expected(&reader)).await??;
    if sha256 != survey.sha256 {
        return Err(input::InputError::Changed { path: input.path().to_owned() }.into());
    }
    let found = models.ledger();
    let mismatches = found.differences(&expected);
    println!("{}", report::reconciliation(&expected, &mismatches));
    let summary = Summary {
        lines: expected.lines,
        accepted: found.accepted,
        rejected: found.rejected,
        events: models.events(),
        events_per_s,
        mismatches: mismatches.len(),
        rss_mb: report::rss_mb(),
    };
    if arguments.json {
        println!("{}", serde_json::to_string(&summary)?);
    }
    Ok(if mismatches.is_empty() { End::Reconciled } else { End::Mismatched })
}
