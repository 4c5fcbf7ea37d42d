//! Attacks foldlog with real faults and checks the recorded history.

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use foldlog_torture::arguments::{HELP, Run, Task, parse};
use foldlog_torture::bug::Bug;
use foldlog_torture::plan::Plan;
use foldlog_torture::report::Report;
use foldlog_torture::{schedule, worker};
use tokio::signal::unix::{SignalKind, signal};

const FINDING: u8 = 1;
const USAGE: u8 = 2;
const BROKEN: u8 = 3;
/// A schedule of a long run: time for many faults, and a history that is quickly judged.
const SCHEDULE: Duration = Duration::from_secs(45);
/// One with a planted bug is over as soon as it is judged: better several short ones.
const PROVOKED: Duration = Duration::from_secs(18);
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
    let mut report = Report::new(task);
    let reason = tokio::select! {
        reason = schedules(task, &mut report, start, &program, folder.path()) => reason,
        reason = interrupted() => Some(reason),
    };
    let took = start.elapsed();
    let unseen = report.unseen(took);
    let reason = match reason {
        None if !unseen.is_empty() => Some(format!("no {} was recorded", unseen.join(", no "))),
        reason => reason,
    };
    report.print(took, reason.as_deref());
    match reason {
        Some(reason) => broken(&reason),
        None if report.has_findings() == task.bug.is_some() => ExitCode::SUCCESS,
        None => ExitCode::from(FINDING),
    }
}

/// One schedule after another until the time is up; why not, if it ends before.
async fn schedules(
    task: &Run,
    report: &mut Report,
    start: Instant,
    program: &Path,
    folder: &Path,
) -> Option<String> {
    let numbers = task.schedule.map_or(0..u64::MAX, |number| number..number + 1);
    for number in numbers {
        let begun = Instant::now();
        let plan = Plan::new(task.seed, number, length(task));
        let plan = match task.bug {
            Some(bug) => plan.against(bug),
            None => plan,
        };
        let folder = folder.join(number.to_string());
        match schedule::run(&plan, program, &folder, task.bug).await {
            Ok(verdict) => report.take(number, &plan, &verdict, begun.elapsed()),
            Err(error) => return Some(format!("schedule {number} broke down: {error:?}")),
        }
        let caught = task.bug.is_some() && report.has_findings();
        if caught || start.elapsed() + AROUND / 2 > task.time {
            break;
        }
    }
    None
}

/// Told to end: everything that was started ends with what holds it.
async fn interrupted() -> String {
    let mut terminate = match signal(SignalKind::terminate()) {
        Ok(terminate) => terminate,
        Err(error) => return error.to_string(),
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    "interrupted".to_owned()
}

/// How long a schedule of this run writes.
fn length(task: &Run) -> Duration {
    let whole = task.time.saturating_sub(AROUND).max(Duration::from_secs(5));
    whole.min(if task.bug.is_some() { PROVOKED } else { SCHEDULE })
}
