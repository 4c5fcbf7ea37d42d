//! What was asked for on the command line.

use std::ffi::OsString;

use lexopt::ValueExt as _;
use lexopt::prelude::{Long, Short};

/// How many streams are folded and compared, unless told otherwise.
const VERIFY: usize = 100;
const BATCH: usize = 20_000;

pub const HELP: &str = "\
Imports the events that cqrs-es has stored (crate postgres-es) into foldlog, and verifies a sample.

Usage: cargo run --release --example import_cqrs_es -- [OPTIONS]

Options:
  --source URL           the database of cqrs-es [default: that of foldlog]
  --table NAME           its table of events [default: events]
  --order-by FIELD       the metadata field that holds the time of an event [default: by stream]
  --category TYPE=NAME   the category that an aggregate type becomes; may be repeated
                         [default: its own name]
  --verify N             how many streams are folded and compared [default: 100]
  --batch N              how many events are stored in one transaction [default: 20000]
  --dry-run              say what would be done, and do nothing
  -h, --help             this text

foldlog's database is the one that DATABASE_URL or the PG* variables name, else a private one. Stop
it at any time: the next run goes on where this one ended.";

#[derive(Debug, PartialEq, Eq)]
pub struct Arguments {
    pub source: Option<String>,
    pub table: String,
    pub order_by: Option<String>,
    pub categories: Vec<(String, String)>,
    pub verify: usize,
    pub batch: usize,
    pub dry_run: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Asked {
    Help,
    Run(Arguments),
}

/// Reads the arguments that follow the name of the program.
pub fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Asked, lexopt::Error> {
    let mut read = Arguments {
        source: None,
        table: "events".to_owned(),
        order_by: None,
        categories: Vec::new(),
        verify: VERIFY,
        batch: BATCH,
        dry_run: false,
    };
    let mut parser = lexopt::Parser::from_args(arguments);
    while let Some(argument) = parser.next()? {
        match argument {
            Long("source") => read.source = Some(parser.value()?.string()?),
            Long("table") => read.table = parser.value()?.string()?,
            Long("order-by") => read.order_by = Some(parser.value()?.string()?),
            Long("category") => read.categories.push(parser.value()?.parse_with(category)?),
            Long("verify") => read.verify = parser.value()?.parse()?,
            Long("batch") => read.batch = parser.value()?.parse()?,
            Long("dry-run") => read.dry_run = true,
            Long("help") | Short('h') => return Ok(Asked::Help),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Asked::Run(read))
}

fn category(text: &str) -> Result<(String, String), &'static str> {
    let parts = text.split_once('=').filter(|(of, to)| !of.is_empty() && !to.is_empty());
    let (of, to) = parts.ok_or("--category takes TYPE=NAME")?;
    Ok((of.to_owned(), to.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(arguments: &[&str]) -> Result<Asked, String> {
        read(arguments.iter().map(OsString::from)).map_err(|error| error.to_string())
    }

    #[test]
    fn every_option_is_understood() {
        let all = [
            "--source=postgres://old/bank",
            "--table",
            "bank.events",
            "--order-by=time",
            "--category=Bank-Account=account",
            "--verify=7",
            "--batch=9",
            "--dry-run",
        ];
        let asked = Arguments {
            source: Some("postgres://old/bank".into()),
            table: "bank.events".into(),
            order_by: Some("time".into()),
            categories: vec![("Bank-Account".into(), "account".into())],
            verify: 7,
            batch: 9,
            dry_run: true,
        };
        assert_eq!(run(&all), Ok(Asked::Run(asked)));
        assert_eq!(run(&["-h"]), Ok(Asked::Help));
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (arguments, named) in [
            (vec!["--tables", "a"], "--tables"),
            (vec!["--category", "a"], "TYPE=NAME"),
            (vec!["--category", "=a"], "TYPE=NAME"),
            (vec!["--batch", "many"], "many"),
        ] {
            let error = run(&arguments).unwrap_err();
            assert!(error.contains(named), "{arguments:?}: {error}");
        }
    }
}
