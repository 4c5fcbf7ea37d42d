//! What was asked for on the command line.

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::ValueExt as _;
use lexopt::prelude::{Long, Short};

/// How many lanes play at once, unless told otherwise.
const LANES: usize = 32;
const LANES_MAX: usize = 1_024;

pub const HELP: &str = "\
Plays the sales of an online shop, line by line, through foldlog, and reconciles the read models
with the file.

Usage: cargo run --release --example retail -- [OPTIONS]

Options:
  --input FILE      the lines to play, as CSV, plain or gzip
                    [default: the whole year beside the repository, else the month that ships]
  --lanes N         how many stock codes are worked on at once, 1 to 1024 [default: 32]
  --drop-view       throw the read models away first, and build them anew
  --list-refused    list every refused line at the end
  --json            end with one line of JSON
  -h, --help        this text

The database is the one that DATABASE_URL or the PG* variables name, else a private one. Stop it at
any time: the next run goes on where this one ended.";

#[derive(Debug, PartialEq, Eq)]
pub struct Arguments {
    pub input: Option<PathBuf>,
    pub lanes: usize,
    pub drop_view: bool,
    pub list_refused: bool,
    pub json: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Asked {
    Help,
    Run(Arguments),
}

/// Reads the arguments that follow the name of the program.
pub fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Asked, lexopt::Error> {
    let mut read =
        Arguments { input: None, lanes: LANES, drop_view: false, list_refused: false, json: false };
    let mut parser = lexopt::Parser::from_args(arguments);
    while let Some(argument) = parser.next()? {
        match argument {
            Long("input") => read.input = Some(parser.value()?.into()),
            Long("lanes") => read.lanes = parser.value()?.parse_with(lanes)?,
            Long("drop-view") => read.drop_view = true,
            Long("list-refused") => read.list_refused = true,
            Long("json") => read.json = true,
            Long("help") | Short('h') => return Ok(Asked::Help),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Asked::Run(read))
}

fn lanes(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=LANES_MAX).contains(number));
    number.ok_or_else(|| format!("--lanes takes a number from 1 to {LANES_MAX}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(arguments: &[&str]) -> Result<Asked, String> {
        read(arguments.iter().map(OsString::from)).map_err(|error| error.to_string())
    }

    #[test]
    fn every_option_is_understood() {
        let all = ["--input=a.csv", "--lanes", "7", "--drop-view", "--list-refused", "--json"];
        let asked = Arguments {
            input: Some("a.csv".into()),
            lanes: 7,
            drop_view: true,
            list_refused: true,
            json: true,
        };
        assert_eq!(run(&all), Ok(Asked::Run(asked)));
        assert_eq!(run(&["--json", "-h"]), Ok(Asked::Help));
        assert!(matches!(run(&[]), Ok(Asked::Run(Arguments { lanes: LANES, input: None, .. }))));
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (arguments, named) in [
            (vec!["--inputs", "a"], "--inputs"),
            (vec!["--input"], "--input"),
            (vec!["--lanes", "0"], "from 1 to 1024"),
            (vec!["--lanes", "many"], "from 1 to 1024"),
            (vec!["--json=yes"], "--json"),
            (vec!["a.csv"], "a.csv"),
        ] {
            let error = run(&arguments).unwrap_err();
            assert!(error.contains(named), "{arguments:?}: {error}");
        }
    }
}
