//! What the words after `cargo xtask` ask for.

use std::num::NonZeroU32;

use crate::matrix::{Place, every_place};

pub(crate) const HELP: &str = "\
Usage: cargo xtask <command>

Commands:
  ci                     everything a change must pass: fmt, clippy, docs, tests, 45 seconds of
                         torture, each bench once, features, tidy, deny
  tidy                   the rules of the house that no compiler knows; one line for each finding
  bench ARGS…            foldlog-bench, built for speed, with these words (`bench --help`)
  torture ARGS…          foldlog-torture, built for speed, bugs to plant included, with these words
                         (`torture --help`)
  soak [--minutes N]     the long ones: torture for N minutes (60), each bench, ten million draws
  fuzz [--seconds N] [--target NAME]
                         the targets of tools/fuzz, guided by coverage, for N seconds each (60), or
                         one of them; needs a nightly compiler and cargo-fuzz
  matrix [PLACE…]        the tests on PostgreSQL 15, 16, 17 and 18, and on a container, or on those
                         that are named: `matrix 15 18`, `matrix container`
  help                   this page

Exit codes: 0 all is well, 1 something was found or could not be run, 2 the command line was not
understood; `bench` and `torture` end as the program does.
";

const FUZZ_SECONDS: NonZeroU32 = NonZeroU32::new(60).expect("a minute is not nothing");
const SOAK_MINUTES: NonZeroU32 = NonZeroU32::new(60).expect("an hour is not nothing");

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Task {
    Ci,
    Tidy,
    Bench(Vec<String>),
    Torture(Vec<String>),
    Soak { minutes: NonZeroU32 },
    Fuzz { seconds: u32, target: Option<String> },
    Matrix(Vec<Place>),
    Help,
}

pub(crate) fn parse(words: &[String]) -> Result<Task, String> {
    let Some((command, rest)) = words.split_first() else {
        return Err("name a command".to_owned());
    };
    match command.as_str() {
        "ci" => nothing_more(rest, Task::Ci),
        "tidy" => nothing_more(rest, Task::Tidy),
        "help" | "--help" | "-h" => nothing_more(rest, Task::Help),
        "bench" => Ok(Task::Bench(rest.to_vec())),
        "torture" => Ok(Task::Torture(rest.to_vec())),
        "soak" => soak(rest),
        "fuzz" => fuzz(rest),
        "matrix" => matrix(rest),
        unknown => Err(format!("`{unknown}` is not a command")),
    }
}

fn nothing_more(rest: &[String], task: Task) -> Result<Task, String> {
    match rest.first() {
        None => Ok(task),
        Some(extra) => Err(format!("`{extra}` is one word too many")),
    }
}

fn soak(rest: &[String]) -> Result<Task, String> {
    let minutes = match rest {
        [] => SOAK_MINUTES,
        [option, number] if option == "--minutes" => number
            .parse()
            .map_err(|_| format!("`{number}` is no number of minutes; one is the least"))?,
        _ => return Err("`soak` takes `--minutes N` and nothing else".to_owned()),
    };
    Ok(Task::Soak { minutes })
}

fn fuzz(rest: &[String]) -> Result<Task, String> {
    let (mut seconds, mut target) = (FUZZ_SECONDS, None);
    let mut words = rest.iter();
    while let Some(option) = words.next() {
        match (option.as_str(), words.next()) {
            ("--seconds", Some(number)) => {
                seconds = number
                    .parse()
                    .map_err(|_| format!("`{number}` is no number of seconds; one is the least"))?;
            }
            ("--target", Some(name)) => target = Some(name.clone()),
            _ => return Err("`fuzz` takes `--seconds N` and `--target NAME`".to_owned()),
        }
    }
    Ok(Task::Fuzz { seconds: seconds.get(), target })
}

fn matrix(rest: &[String]) -> Result<Task, String> {
    if rest.is_empty() {
        return Ok(Task::Matrix(every_place()));
    }
    let mut places = Vec::new();
    for word in rest {
        let place = Place::parse(word)?;
        if places.contains(&place) {
            return Err(format!("`{word}` is named twice"));
        }
        places.push(place);
    }
    Ok(Task::Matrix(places))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &[&str]) -> Result<Task, String> {
        parse(&owned(words))
    }

    fn owned(words: &[&str]) -> Vec<String> {
        words.iter().map(|&word| word.to_owned()).collect()
    }

    #[test]
    fn each_command_is_understood() {
        assert_eq!(parsed(&["ci"]), Ok(Task::Ci));
        assert_eq!(parsed(&["tidy"]), Ok(Task::Tidy));
        assert_eq!(parsed(&["--help"]), Ok(Task::Help));
    }

    #[test]
    fn the_words_of_a_program_are_its_own() {
        let words = ["append", "--clients", "8", "--help"];
        for (name, task) in [("bench", Task::Bench as fn(_) -> _), ("torture", Task::Torture)] {
            let all: Vec<&str> = [name].iter().chain(&words).copied().collect();
            assert_eq!(parsed(&all), Ok(task(owned(&words))));
            assert_eq!(parsed(&[name]), Ok(task(Vec::new())));
        }
    }

    #[test]
    fn a_soak_lasts_an_hour_unless_it_is_told() {
        assert_eq!(parsed(&["soak"]), Ok(Task::Soak { minutes: SOAK_MINUTES }));
        let five = NonZeroU32::new(5).expect("five");
        assert_eq!(parsed(&["soak", "--minutes", "5"]), Ok(Task::Soak { minutes: five }));
    }

    #[test]
    fn a_fuzzer_looks_at_all_targets_for_a_minute_unless_it_is_told() {
        assert_eq!(parsed(&["fuzz"]), Ok(Task::Fuzz { seconds: 60, target: None }));
        let one = Task::Fuzz { seconds: 5, target: Some("key".to_owned()) };
        assert_eq!(parsed(&["fuzz", "--target", "key", "--seconds", "5"]), Ok(one));
    }

    #[test]
    fn the_matrix_is_whole_unless_places_are_named() {
        assert_eq!(parsed(&["matrix"]), Ok(Task::Matrix(every_place())));
        let named = vec![Place::Major(15), Place::Container];
        assert_eq!(parsed(&["matrix", "15", "container"]), Ok(Task::Matrix(named)));
    }

    #[test]
    fn anything_else_is_a_usage_error() {
        for words in [
            &[][..],
            &["tests"],
            &["ci", "fast"],
            &["--ci"],
            &["soak", "5"],
            &["soak", "--minutes"],
            &["soak", "--minutes", "0"],
            &["soak", "--minutes", "5", "6"],
            &["fuzz", "key"],
            &["fuzz", "--seconds", "0"],
            &["fuzz", "--target"],
            &["matrix", "14"],
            &["matrix", "15", "15"],
            &["matrix", "docker"],
        ] {
            assert!(parsed(words).is_err(), "{words:?}");
        }
    }
}
