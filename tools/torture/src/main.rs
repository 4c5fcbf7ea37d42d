//! Attacks foldlog with real faults and checks the recorded history.

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use foldlog_torture::arguments::{HELP, Run, Task, parse};
use foldlog_torture::bug::Bug;
use foldlog_torture::plan::Plan;
use foldlog_torture::report::Report;
use foldlog_torture::{schedule, worker};

const FINDING: u8 = 1;
const USAGE: u8 = 2;
const BROKEN: u8 = 3;
/// A schedule of a long run: time for many faults, and a history that is quickly judged.
const SCHEDULE: Duration = Duration::from_secs(45);
/// What it takes to set one up, to heal and to judge.
const AROUND: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return broken(&error.to_string()),
    };
    match parse(std::env::args().skip(1)) {
        Ok(Task::Run(task)) => runtime.block_on(run(&task)),
        Ok(Task::Worker { url, bug }) => {
            runtime.block_on(worker::run(&url, bug));
            ExitCode::SUCCESS
        }
        Ok(Task::ListBugs) => {
            Bug::ALL.iter().for_each(|bug| println!("{}", bug.name()));
            ExitCode::SUCCESS
        }
        Ok(Task::Help) => {
            print!("{HELP}");
            ExitCode::SUCCESS
        }
        Err(reason) => {
            eprint!("torture: {reason}\n\n{HELP}");
            ExitCode::from(USAGE)
        }
    }
}

fn broken(reason: &str) -> ExitCode {
    eprintln!("torture: {reason}");
    ExitCode::from(BROKEN)
}

async fn run(task: &Run) -> ExitCode {
    // Said first, so that a run that is broken off can be repeated.
    println!("seed {}", task.seed);
    let folder = match tempfile::Builder::new().prefix("foldlog-torture-").tempdir() {
        Ok(folder) => folder,
        Err(error) => return broken(&error.to_string()),
    };
    let Ok(program) = std::env::current_exe() else { return broken("where is this program?") };
    let start = Instant::now();
    let mut report = Report::default();
    let numbers = task.schedule.map_or(0..u64::MAX, |number| number..number + 1);
    for number in numbers {
        let begun = Instant::now();
        let plan = Plan::new(task.seed, number, length(task));
        let plan = match task.bug {
            Some(bug) => plan.against(bug),
            None => plan,
        };
        let folder = folder.path().join(number.to_string());
        match one(&plan, &program, &folder, task.bug).await {
            Ok(verdict) => report.take(number, &plan, verdict, begun.elapsed()),
            Err(reason) => {
                report.print(task, start.elapsed());
                return broken(&format!("schedule {number} broke down: {reason}"));
            }
        }
        let caught = task.bug.is_some() && report.has_findings();
        if caught || start.elapsed() + AROUND / 2 > task.time {
            break;
        }
    }
    report.print(task, start.elapsed());
    if report.has_findings() == task.bug.is_some() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(FINDING)
    }
}

/// How long a schedule of this run writes.
fn length(task: &Run) -> Duration {
    let whole = task.time.saturating_sub(AROUND).max(Duration::from_secs(5));
    whole.min(SCHEDULE)
}

async fn one(
    plan: &Plan,
    program: &Path,
    folder: &Path,
    bug: Option<Bug>,
) -> Result<schedule::Verdict, String> {
    schedule::run(plan, program, folder, bug).await.map_err(|error| format!("{error:?}"))
}
