//! `cargo xtask soak`: what takes too long for every change.

use std::num::NonZeroU32;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use serde_json::Value;

use crate::cargo;
use crate::program::{BENCH, TORTURE};
use crate::step::{run_seen, timed};
use crate::totals::Totals;
use crate::verdicts::{Verdicts, field};

/// How often a bound is drawn and compared with the position that follows it.
const DRAWS: &str = "10000000";

/// One part: what it found out, or why it failed, and the seconds it took.
struct Part {
    name: &'static str,
    result: Result<String, String>,
    seconds: f64,
}

/// Runs all parts, also after one has failed: a night is long, and each tells something of its own.
pub(crate) fn run(root: &Path, minutes: NonZeroU32) -> Result<(), String> {
    let parts = [
        part("torture", || torture(root, minutes)),
        part("bench", || bench(root)),
        part("draws", || draws(root)),
    ];
    println!("soak:");
    for Part { name, result, seconds } in &parts {
        let (word, told) = match result {
            Ok(told) => ("ok", told),
            Err(reason) => ("FAILED", reason),
        };
        println!("  {name:<8} {word:<7} {seconds:>7.0} s  {told}");
    }
    match parts.iter().filter(|part| part.result.is_err()).count() {
        0 => Ok(()),
        failed => Err(format!("soak: {failed} of {} parts failed", parts.len())),
    }
}

fn part(name: &'static str, work: impl FnOnce() -> Result<String, String>) -> Part {
    let start = Instant::now();
    let result = timed(name, work);
    Part { name, result, seconds: start.elapsed().as_secs_f64() }
}

fn torture(root: &Path, minutes: NonZeroU32) -> Result<String, String> {
    let mut command = TORTURE.release(root);
    let verdicts = concluded(command.args(["--minutes", &minutes.to_string()]))?;
    let Some(last) = verdicts.last() else { return Err("it concluded nothing".to_owned()) };
    let told = ["seed", "schedules", "events", "findings"];
    let told: Vec<String> =
        told.iter().map(|name| format!("{name} {}", field(last, name))).collect();
    Ok(told.join(", "))
}

fn bench(root: &Path) -> Result<String, String> {
    let verdicts = concluded(BENCH.release(root).arg("all"))?;
    let told = benches(&verdicts);
    let told = told.map(|one| format!("{} {}", field(one, "bench"), field(one, "ratio")));
    Ok(told.collect::<Vec<_>>().join(", "))
}

fn draws(root: &Path) -> Result<String, String> {
    let mut totals = Totals::default();
    let mut command = cargo::command(root);
    command
        .args(["test", "--release", "--locked", "--package", "foldlog-eventstore"])
        .args(["--test", "main", "draws"])
        .env("FOLDLOG_DRAWS", DRAWS);
    run_seen(&mut command, |line| totals.see(line))?;
    // A filter that fits nothing is a success to cargo.
    if totals.passed == 0 {
        return Err("there is no test of draws in eventstore/tests".to_owned());
    }
    Ok(format!("{DRAWS} draws, {totals}"))
}

/// What was concluded of each bench: the last object holds the results of all of them once more.
pub(crate) fn benches(verdicts: &[Value]) -> impl Iterator<Item = &Value> {
    verdicts.iter().filter(|object| object.get("results").is_none())
}

/// Runs a program to its end and gives back what it concluded.
pub(crate) fn concluded(command: &mut Command) -> Result<Vec<Value>, String> {
    let mut verdicts = Verdicts::default();
    run_seen(command, |line| verdicts.see(line))?;
    verdicts.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_of_all_benches_is_none_of_them() {
        let said = [
            serde_json::json!({ "bench": "append", "ratio": 0.9 }),
            serde_json::json!({ "bench": "read", "ratio": 0.4 }),
            serde_json::json!({ "bench": "all", "results": [] }),
        ];
        let names: Vec<String> = benches(&said).map(|one| field(one, "bench")).collect();
        assert_eq!(names, ["append", "read"]);
    }
}
