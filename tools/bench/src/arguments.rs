//! What was asked for on the command line.

use std::ffi::OsString;
use std::time::Duration;

use lexopt::ValueExt as _;
use lexopt::prelude::{Long, Short, Value};

use crate::bench::Bench;

const CLIENTS_MAX: usize = 4_096;
const SECONDS_MAX: u64 = 600;
const SIZE_MAX: i64 = 100_000_000;

pub const HELP: &str = "\
Measures foldlog against the limit of the same machine in the same run.

Usage: foldlog-bench NAME [OPTIONS]

Names:
  append        concurrent callers, one 200-byte event each to streams of their own, optimistic;
                limit: one connection writing the same rows in batches
  append-one    a single caller; limit: the same rows by one prepared statement per commit
  append-hot    all callers on one stream, at whatever version it is
  append-held   the same while somebody holds a snapshot for ten minutes; limit: before that
  append-busy   all callers while a user's transaction holds one of the streams; limit: without it
  append-condition
                three tags and a condition with each append; limit: the append of the same run
  command       load 10 events, decide, append; limit: the append of the same run
  read          all events, decoded and raw; limit: COPY of the same rows
  import        a history in bulk; limit: COPY of the same rows
  project       a balance per account over stored events; limit: one insert from a group by
  live          200 events a second, from the call to the row of the view
  size          appends and commands at 10 thousand, 1 and 10 million stored events
  all           one after the other

Options:
  --clients N      concurrent callers, 1 to 4096 [default: 64; append: 64, then 1024]
  --seconds N      how long each side is measured in each round, 1 to 600 [default: 4]
  --size N         events to read, to import, to project or to begin with, 1000 to 100000000
                   [default: 1 million; project: 500 thousand; size: up to 10 million];
                   for all: the most that any of them takes, of these
  --json           only the line of JSON
  --smoke          a second or two for each, on any server and any build: checks that the work done
                   is right, and gives no ratio
  --busy-anyway    report even if something else keeps the machine busy
  -h, --help       this text

Each run starts a PostgreSQL of its own below the folder for temporary files (TMPDIR) and removes it
at the end; FOLDLOG_PG and FOLDLOG_PG_BIN choose the binaries.
Exit codes: 0 measured, 1 nothing to report, 2 the command line was not understood.";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arguments {
    pub benches: Vec<Bench>,
    pub clients: Option<usize>,
    pub seconds: Option<u64>,
    pub size: Option<i64>,
    pub json: bool,
    pub smoke: bool,
    pub busy_anyway: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Asked {
    Help,
    Run(Arguments),
    /// Work on views at this URL until standard input ends: what `live` starts beside itself.
    Worker(String),
}

impl Arguments {
    pub fn rounds(&self) -> usize {
        if self.smoke { 1 } else { 3 }
    }

    /// How long each side is measured in each round.
    pub fn time(&self) -> Duration {
        match self.seconds {
            Some(seconds) => Duration::from_secs(seconds),
            None if self.smoke => Duration::from_millis(300),
            None => Duration::from_secs(4),
        }
    }

    pub fn clients(&self) -> usize {
        self.clients.unwrap_or(if self.smoke { 16 } else { 64 })
    }

    /// A size that was asked for, else this one; a little one for a smoke test. Of several benches
    /// each keeps its own size, up to the one that was asked for.
    pub fn size_or(&self, default: i64) -> i64 {
        let usual = if self.smoke { 5_000 } else { default };
        match (self.size, self.benches.as_slice()) {
            (Some(size), [_one]) => size,
            (Some(size), _) => usual.min(size),
            (None, _) => usual,
        }
    }
}

/// Reads the arguments that follow the name of the program.
pub fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Asked, lexopt::Error> {
    let mut read = Arguments {
        benches: Vec::new(),
        clients: None,
        seconds: None,
        size: None,
        json: false,
        smoke: false,
        busy_anyway: false,
    };
    let mut parser = lexopt::Parser::from_args(arguments);
    while let Some(argument) = parser.next()? {
        match argument {
            Value(name) if read.benches.is_empty() && name == "worker" => {
                return Ok(Asked::Worker(parser.value()?.string()?));
            }
            Value(name) if read.benches.is_empty() => {
                read.benches = name.parse_with(benches)?;
            }
            Long("clients") => {
                read.clients = Some(
                    parser.value()?.parse_with(|text| within(text, "--clients", 1, CLIENTS_MAX))?,
                );
            }
            Long("seconds") => {
                read.seconds = Some(
                    parser.value()?.parse_with(|text| within(text, "--seconds", 1, SECONDS_MAX))?,
                );
            }
            Long("size") => {
                read.size = Some(
                    parser.value()?.parse_with(|text| within(text, "--size", 1_000, SIZE_MAX))?,
                );
            }
            Long("json") => read.json = true,
            Long("smoke") => read.smoke = true,
            Long("busy-anyway") => read.busy_anyway = true,
            Long("help") | Short('h') => return Ok(Asked::Help),
            other => return Err(other.unexpected()),
        }
    }
    check(&read)?;
    Ok(Asked::Run(read))
}

fn benches(name: &str) -> Result<Vec<Bench>, String> {
    if name == "all" {
        return Ok(Bench::ALL.to_vec());
    }
    let bench = Bench::ALL.into_iter().find(|bench| bench.name() == name);
    bench.map(|bench| vec![bench]).ok_or_else(|| {
        let names: Vec<&str> = Bench::ALL.iter().map(|bench| bench.name()).collect();
        format!("`{name}` is not a bench: name one of {} or all", names.join(", "))
    })
}

fn within<N>(text: &str, option: &str, least: N, most: N) -> Result<N, String>
where
    N: Copy + std::str::FromStr + PartialOrd + std::fmt::Display,
{
    let number = text.parse().ok().filter(|number| *number >= least && *number <= most);
    number.ok_or_else(|| format!("{option} takes a number from {least} to {most}"))
}

fn check(read: &Arguments) -> Result<(), lexopt::Error> {
    let refused = match read.benches.as_slice() {
        [] => "no bench is named: name one, or all".to_owned(),
        [one] if read.clients.is_some() && !one.takes_clients() => {
            format!("--clients means nothing to {}: leave it out", one.name())
        }
        [one] if read.size.is_some() && !one.takes_size() => {
            format!("--size means nothing to {}: leave it out", one.name())
        }
        _ => return Ok(()),
    };
    Err(refused.into())
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
            "size",
            "--clients=8",
            "--seconds",
            "3",
            "--size",
            "20000",
            "--json",
            "--smoke",
            "--busy-anyway",
        ];
        let asked = Arguments {
            benches: vec![Bench::Size],
            clients: Some(8),
            seconds: Some(3),
            size: Some(20_000),
            json: true,
            smoke: true,
            busy_anyway: true,
        };
        assert_eq!(run(&all), Ok(Asked::Run(asked)));
        assert_eq!(run(&["append", "-h"]), Ok(Asked::Help));
        assert_eq!(run(&["worker", "postgres://"]), Ok(Asked::Worker("postgres://".to_owned())));
        let Ok(Asked::Run(arguments)) = run(&["all", "--size", "9000", "--clients", "2"]) else {
            panic!("all takes every option")
        };
        assert_eq!(arguments.benches, Bench::ALL);
        assert_eq!((arguments.size_or(8_000), arguments.size_or(10_000_000)), (8_000, 9_000));
    }

    #[test]
    fn what_is_not_understood_is_named_with_the_remedy() {
        for (arguments, named) in [
            (vec![], "name one"),
            (vec!["appends"], "`appends` is not a bench: name one of append, append-one"),
            (vec!["append", "read"], "read"),
            (vec!["append", "--client", "3"], "--client"),
            (vec!["append", "--clients"], "--clients"),
            (vec!["append", "--clients", "0"], "from 1 to 4096"),
            (vec!["append", "--seconds", "many"], "--seconds takes a number"),
            (vec!["read", "--size", "10"], "from 1000"),
            (vec!["read", "--clients", "3"], "--clients means nothing to read"),
            (vec!["append", "--size", "5000"], "--size means nothing to append"),
            (vec!["append", "--json=yes"], "--json"),
        ] {
            let error = run(&arguments).unwrap_err();
            assert!(error.contains(named), "{arguments:?}: {error}");
        }
    }
}
