//! The command line.

use std::time::Duration;

use crate::bug::Bug;

pub const HELP: &str = "\
Usage: cargo xtask torture [--minutes N | --seconds N] [--seed S] [--schedule I] [--bug NAME]
                           [--list-bugs]

Starts writers, readers and worker processes on a PostgreSQL of its own, breaks whatever can break,
records every call, and checks the record afterwards. Ends by itself.

  --minutes N    for how long; 10 unless said otherwise
  --seconds N    the same in seconds
  --seed S       everything that is drawn follows from it; a fresh one is printed
  --schedule I   only this schedule of the seed, once
  --bug NAME     with a bug put in on purpose; ends at the first finding
  --list-bugs    the names of the bugs
  --help         this page

The last line is a JSON object. Exit codes: 0 no finding, 1 a finding (or, with --bug, none),
2 the command line was not understood, 3 the torture itself broke down.
";

#[derive(Debug, PartialEq, Eq)]
pub enum Task {
    Run(Run),
    /// What a worker process is started with.
    Worker {
        url: String,
        bug: Option<Bug>,
    },
    ListBugs,
    Help,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    pub time: Duration,
    pub seed: u64,
    pub schedule: Option<u64>,
    pub bug: Option<Bug>,
}

/// Reads the words after the program's name.
///
/// # Errors
///
/// What was not understood, in words.
pub fn parse(words: impl IntoIterator<Item = String>) -> Result<Task, String> {
    use lexopt::prelude::*;
    let mut parser = lexopt::Parser::from_args(words);
    let mut run =
        Run { time: Duration::from_secs(600), seed: fastrand::u64(..), schedule: None, bug: None };
    let mut positional = Vec::new();
    let said = |e: lexopt::Error| e.to_string();
    while let Some(word) = parser.next().map_err(said)? {
        match word {
            Long("minutes") => run.time = minutes(number(&mut parser, "--minutes")?)?,
            Long("seconds") => run.time = seconds(number(&mut parser, "--seconds")?)?,
            Long("seed") => run.seed = number(&mut parser, "--seed")?,
            Long("schedule") => run.schedule = Some(number(&mut parser, "--schedule")?),
            Long("bug") => run.bug = Some(bug(&text(&mut parser)?)?),
            Long("list-bugs") => return Ok(Task::ListBugs),
            Long("help") | Short('h') => return Ok(Task::Help),
            Value(value) => {
                positional.push(value.into_string().map_err(|_| "a word is no text".to_owned())?);
            }
            other => return Err(other.unexpected().to_string()),
        }
    }
    match positional.as_slice() {
        [] => Ok(Task::Run(run)),
        [word, url] if word == "worker" => Ok(Task::Worker { url: url.clone(), bug: None }),
        [word, url, name] if word == "worker" => {
            Ok(Task::Worker { url: url.clone(), bug: Some(bug(name)?) })
        }
        [word, ..] => Err(format!("`{word}` is not understood")),
    }
}

fn text(parser: &mut lexopt::Parser) -> Result<String, String> {
    let value = parser.value().map_err(|e| e.to_string())?;
    value.into_string().map_err(|_| "a value is no text".to_owned())
}

fn number(parser: &mut lexopt::Parser, name: &str) -> Result<u64, String> {
    let text = text(parser)?;
    text.parse().map_err(|_| format!("{name} takes a whole number, not `{text}`"))
}

fn minutes(minutes: u64) -> Result<Duration, String> {
    seconds(minutes.saturating_mul(60))
}

fn seconds(seconds: u64) -> Result<Duration, String> {
    // It has to end by itself.
    if (10..=86_400).contains(&seconds) {
        Ok(Duration::from_secs(seconds))
    } else {
        Err("the time must lie between 10 seconds and a day".to_owned())
    }
}

fn bug(name: &str) -> Result<Bug, String> {
    if !cfg!(feature = "planted") {
        return Err("bugs can be planted only when built with `--features planted`, as \
                    `cargo xtask torture` does"
            .to_owned());
    }
    Bug::named(name).ok_or_else(|| format!("there is no bug `{name}`; `--list-bugs` names them"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &[&str]) -> Result<Task, String> {
        parse(words.iter().map(|&word| word.to_owned()))
    }

    #[test]
    fn a_run_is_understood() {
        let Ok(Task::Run(run)) = parsed(&["--minutes", "3", "--seed", "7"]) else {
            panic!("not understood")
        };
        assert_eq!((run.time.as_secs(), run.seed, run.schedule), (180, 7, None));
    }

    #[test]
    fn every_bug_is_known_by_its_name() {
        for bug in Bug::ALL {
            assert_eq!(Bug::named(bug.name()), Some(bug));
        }
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for words in [&["--minutes"][..], &["--minutes", "x"], &["--seconds", "0"], &["fast"]] {
            assert!(parsed(words).is_err(), "{words:?}");
        }
        assert!(parsed(&["--bug", "nonsense"]).is_err_and(|e| e.contains("bug")));
    }
}
