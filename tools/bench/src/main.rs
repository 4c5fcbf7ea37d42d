//! Measures foldlog against the limit of the same machine in the same run.
//!
//! In reading order: [`mod@bench`] names what is measured, each of its modules measures one thing;
//! [`plain`] is the limit, plain SQL that does the least; [`callers`] drives both sides, [`machine`]
//! tells whether something else was at work, [`report`] says what came of it.
#![allow(unreachable_pub, reason = "a program: its modules are private, and nothing reaches out")]

mod account;
mod arguments;
mod bed;
mod bench;
mod callers;
mod figures;
mod fill;
mod machine;
mod pair;
mod plain;
mod report;
mod run;
mod server;
mod streams;
mod worker;

use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};

use crate::arguments::Asked;

/// What ends a run: a paragraph that names the thing and the remedy.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

const EXIT_USAGE: u8 = 2;
/// As a shell says it of a program that Ctrl-C ended.
const EXIT_INTERRUPTED: u8 = 130;

#[tokio::main]
async fn main() -> ExitCode {
    let asked = match arguments::read(std::env::args_os().skip(1)) {
        Ok(asked) => asked,
        Err(error) => {
            eprintln!("error: {error}. `--help` lists the benches and the options.");
            return ExitCode::from(EXIT_USAGE);
        }
    };
    log();
    let end = match asked {
        Asked::Help => {
            println!("{}", arguments::HELP);
            return ExitCode::SUCCESS;
        }
        Asked::Worker(url) => worker::run(&url).await,
        Asked::Run(arguments) => {
            tokio::select! {
                end = run::run(&arguments) => end,
                // The server is stopped and its data removed on the way out.
                () = told_to_end() => return ExitCode::from(EXIT_INTERRUPTED),
            }
        }
    };
    match end {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn told_to_end() {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

/// Warnings go to standard error; standard output is the report's.
fn log() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env();
    tracing_subscriber::fmt()
        .with_env_filter(
            filter.unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn,sqlx=error")),
        )
        .with_writer(std::io::stderr)
        .init();
}
