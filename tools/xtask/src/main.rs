//! What this repository does to itself: `cargo xtask ci` and its neighbours, see `cargo xtask help`.

mod cargo;
mod ci;
mod command_line;
mod fuzz;
mod matrix;
mod program;
mod soak;
mod step;
mod tidy;
mod totals;
mod verdicts;
mod workspace;

use std::path::Path;
use std::process::ExitCode;

use command_line::{HELP, Task, parse};
use program::{BENCH, TORTURE};

const EXIT_USAGE: u8 = 2;

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
        Ok(code) => code,
        Err(reason) => {
            eprintln!("xtask: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: &Task, root: &Path) -> Result<ExitCode, String> {
    match task {
        Task::Ci => ci::run_ci(root)?,
        Task::Tidy => tidy::run(root)?,
        Task::Bench(words) => return BENCH.run_as(root, words),
        Task::Torture(words) => return TORTURE.run_as(root, words),
        Task::Soak { minutes } => soak::run(root, *minutes)?,
        Task::Fuzz { seconds, target } => fuzz::run_each(root, *seconds, target.as_deref())?,
        Task::Matrix(places) => matrix::run(root, places)?,
        Task::Help => print!("{HELP}"),
    }
    Ok(ExitCode::SUCCESS)
}
