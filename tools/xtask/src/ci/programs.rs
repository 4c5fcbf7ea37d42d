//! The programs that attack and measure, for as long as every change can afford.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::cargo;
use crate::program::{BENCH, Program, TORTURE};
use crate::soak::{benches, concluded};

/// How long a change is tortured.
const TORTURE_SECONDS: &str = "45";

/// What is built beside the tests, and where it is.
pub(super) struct Built {
    bench: PathBuf,
    torture: PathBuf,
}

/// Builds the programs as the tests were built.
///
/// The same selection of packages and features, and `--tests` for those that only tests switch on:
/// with any other, cargo would compile what the tests have compiled once more.
pub(super) fn build(root: &Path) -> Result<Built, String> {
    let mut command = cargo::command(root);
    command
        .args(["build", "--workspace", "--all-features", "--locked", "--tests"])
        .args([BENCH, TORTURE].iter().flat_map(|program| ["--bin", program.name]))
        .arg("--message-format=json-render-diagnostics");
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| format!("cargo build did not start: {e}"))?;
    if !output.status.success() {
        return Err(format!("cargo build ended with {}", output.status));
    }
    let told = String::from_utf8_lossy(&output.stdout);
    let found = |program: Program| {
        executable(&told, program.name).ok_or_else(|| format!("cargo built no {}", program.name))
    };
    Ok(Built { bench: found(BENCH)?, torture: found(TORTURE)? })
}

/// With a seed that the program draws and prints: each run looks somewhere else.
pub(super) fn torture(root: &Path, built: &Built) -> Result<(), String> {
    let mut command = Command::new(&built.torture);
    concluded(command.args(["--seconds", TORTURE_SECONDS]).current_dir(root)).map(drop)
}

/// That each bench runs to its end; what it measures here means nothing.
pub(super) fn bench(root: &Path, built: &Built) -> Result<(), String> {
    let mut command = Command::new(&built.bench);
    let said = concluded(command.args(["all", "--smoke"]).current_dir(root))?;
    println!("    {} benches came to an end", benches(&said).count());
    Ok(())
}

/// Where cargo put the program of this name; the tests within it are another executable.
fn executable(told: &str, name: &str) -> Option<PathBuf> {
    let messages = told.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    messages
        .filter(|message| {
            message.pointer("/target/name").and_then(Value::as_str) == Some(name)
                && message.pointer("/target/kind/0").and_then(Value::as_str) == Some("bin")
                && message.pointer("/profile/test").and_then(Value::as_bool) == Some(false)
        })
        .find_map(|message| message.get("executable")?.as_str().map(PathBuf::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_found_among_what_cargo_tells() {
        let told = r#"
            {"reason":"compiler-artifact","target":{"name":"foldlog-bench","kind":["lib"]},"profile":{"test":false},"executable":null}
            {"reason":"compiler-artifact","target":{"name":"foldlog-bench","kind":["bin"]},"profile":{"test":true},"executable":"/t/deps/foldlog_bench-1"}
            {"reason":"compiler-artifact","target":{"name":"foldlog-bench","kind":["bin"]},"profile":{"test":false},"executable":"/t/foldlog-bench"}
            {"reason":"build-finished","success":true}"#;
        assert_eq!(executable(told, "foldlog-bench"), Some(PathBuf::from("/t/foldlog-bench")));
        assert_eq!(executable(told, "foldlog-torture"), None);
    }
}
