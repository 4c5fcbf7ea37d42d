//! Imports the bank accounts of cqrs-es's own example, and says what it found and guessed.
//!
//! In reading order: [`account`] is the domain as it is with foldlog, [`arguments`] the command line; the
//! rest is here.
#![allow(unreachable_pub, reason = "a program: its modules are private, and nothing reaches out")]

mod account;
mod arguments;

use std::process::ExitCode;

use foldlog::import::{CqrsEs, CqrsEsReport};
use foldlog::prelude::*;

use crate::account::Account;
use crate::arguments::{Arguments, Asked};

/// What ends a run: a paragraph that names the thing and the remedy.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

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
    match run(&arguments).await {
        Ok(report) => {
            println!("{report}");
            if report.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> Result<CqrsEsReport, Failure> {
    let db = Db::from_env().await?;
    eprintln!("{}", db.description());
    // No view is built meanwhile; the program that has them builds them when it starts.
    let app = App::builder(db.clone()).aggregate::<Account>().without_workers().start().await?;

    let mut import = match &arguments.source {
        Some(url) => CqrsEs::from_url(url)?,
        None => CqrsEs::from_db(&db),
    };
    for (aggregate_type, category) in &arguments.categories {
        import = import.category(aggregate_type, category);
    }
    if let Some(field) = &arguments.order_by {
        import = import.order_by_metadata(field);
    }
    let report = import
        .table(&arguments.table)
        .dry_run(arguments.dry_run)
        .batch_events(arguments.batch)
        .verify::<Account>(arguments.verify)
        .on_progress(|progress| eprintln!("{} events", progress.done))
        .run(app.store())
        .await;

    app.shutdown().await?;
    db.close().await;
    Ok(report?)
}
