//! What this repository does to itself: `cargo xtask ci` and `cargo xtask tidy`.

mod cargo;
mod ci;
mod step;
mod tidy;
mod totals;
mod workspace;

use std::path::Path;
use std::process::ExitCode;

const HELP: &str = "\
Usage: cargo xtask <command>

Commands:
  ci     everything a change must pass: fmt, clippy, docs, tests, features, tidy, deny
  tidy   the rules of the house that no compiler knows; one line for each finding
  help   this page

Exit codes: 0 all is well, 1 something was found, 2 the command line was not understood.
";

const EXIT_USAGE: u8 = 2;

enum Task {
    Ci,
    Tidy,
    Help,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let task = match parse(&words) {
        Ok(task) => task,
        Err(reason) => {
            eprint!("xtask: {reason}\n\n{HELP}");
            return ExitCode::from(EXIT_USAGE);
        }
    };
    match workspace::root().and_then(|root| run(&task, &root)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("xtask: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn parse(words: &[String]) -> Result<Task, String> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["ci"] => Ok(Task::Ci),
        ["tidy"] => Ok(Task::Tidy),
        ["help" | "--help" | "-h"] => Ok(Task::Help),
        [] => Err("name a command".to_owned()),
        ["ci" | "tidy" | "help", extra, ..] => Err(format!("`{extra}` is one word too many")),
        [unknown, ..] => Err(format!("`{unknown}` is not a command")),
    }
}

fn run(task: &Task, root: &Path) -> Result<(), String> {
    match task {
        Task::Ci => ci::run_ci(root),
        Task::Tidy => tidy::run(root),
        Task::Help => {
            print!("{HELP}");
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &[&str]) -> Result<Task, String> {
        parse(&words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn each_command_is_understood() {
        assert!(matches!(parsed(&["ci"]), Ok(Task::Ci)));
        assert!(matches!(parsed(&["tidy"]), Ok(Task::Tidy)));
        assert!(matches!(parsed(&["--help"]), Ok(Task::Help)));
    }

    #[test]
    fn anything_else_is_a_usage_error() {
        for words in [&[][..], &["tests"], &["ci", "fast"], &["--ci"]] {
            assert!(parsed(words).is_err(), "{words:?}");
        }
    }
}
