//! `cargo xtask ci`: everything a change must pass, the same on every machine.

mod programs;

use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use crate::step::{run, run_seen, timed};
use crate::totals::Totals;
use crate::{cargo, fuzz, tidy, workspace};

const FACADE: &str = "foldlog";

/// Workspaces of their own; see there why.
const OUTSIDE: [&str; 2] = ["tools/container/Cargo.toml", fuzz::MANIFEST];

/// Runs all steps in order and stops at the first that fails.
///
/// The quick steps stand first. Clippy, docs and the features share the metadata of the packages we
/// depend on; only the tests need them as machine code.
fn steps(root: &Path) -> Result<Totals, String> {
    timed("fmt", || fmt(root))?;
    timed("clippy", || clippy(root))?;
    timed("docs", || docs(root))?;
    let totals = timed("tests", || tests(root))?;
    let built = timed("programs", || programs::build(root))?;
    timed("torture", || programs::torture(root, &built))?;
    timed("bench", || programs::bench(root, &built))?;
    timed("features", || features(root))?;
    timed("tidy", || tidy::run(root))?;
    timed("deny", || deny(root))?;
    Ok(totals)
}

/// The command: the steps, then the totals on a line of their own.
pub(crate) fn run_ci(root: &Path) -> Result<(), String> {
    let start = Instant::now();
    let totals = steps(root).map_err(|reason| format!("ci: {reason}"))?;
    println!("ci: everything passed in {:.0} s", start.elapsed().as_secs_f64());
    println!("{totals}");
    Ok(())
}

fn fmt(root: &Path) -> Result<(), String> {
    run(cargo::command(root).args(["fmt", "--all", "--check"]))?;
    OUTSIDE.iter().try_for_each(|manifest| {
        run(cargo::command(root).args(["fmt", "--manifest-path", manifest, "--check"]))
    })
}

fn clippy(root: &Path) -> Result<(), String> {
    run(cargo::command(root)
        .args(["clippy", "--workspace", "--all-targets", "--all-features", "--locked"])
        .args(["--", "-D", "warnings"]))
}

fn docs(root: &Path) -> Result<(), String> {
    run(cargo::command(root)
        .args(["doc", "--no-deps", "--workspace", "--all-features", "--locked"])
        .env("RUSTDOCFLAGS", "-D warnings"))
}

/// Unit tests, integration tests and doctests, each once: without a choice of targets `cargo test`
/// runs the doctests too (and builds the examples), so there is no second call for them.
fn tests(root: &Path) -> Result<Totals, String> {
    let mut totals = Totals::default();
    let mut command = cargo::command(root);
    command.args(["test", "--workspace", "--all-features", "--locked", "--no-fail-fast"]);
    let result = run_seen(&mut command, |line| totals.see(line));
    // After a success they stand at the very end, and only there: a reader that sums lines such as
    // this one must not meet it twice.
    result.inspect_err(|_| println!("{totals}"))?;
    check_totals(totals)
}

/// What an exit code of zero does not say: that tests ran, and that none was left out.
fn check_totals(totals: Totals) -> Result<Totals, String> {
    if totals.failed > 0 {
        return Err(format!("{totals}, although cargo reported success"));
    }
    if totals.passed == 0 {
        return Err("no test ran".to_owned());
    }
    if totals.ignored > 0 {
        return Err(format!(
            "{} tests or doctests are ignored; mend or remove them",
            totals.ignored
        ));
    }
    Ok(totals)
}

/// Each feature of the facade compiles alone.
fn features(root: &Path) -> Result<(), String> {
    let packages = workspace::packages(root)?;
    let facade = packages
        .iter()
        .find(|package| package.name == FACADE)
        .ok_or_else(|| format!("there is no package `{FACADE}`"))?;
    for feature in facade.features.iter().filter(|&feature| feature != "default") {
        run(cargo::command(root).args(["check", "--package", FACADE, "--locked"]).args([
            "--no-default-features",
            "--features",
            feature,
        ]))?;
    }
    Ok(())
}

/// Bans, licences and sources. Advisories are left out: they change without a change of ours.
fn deny(root: &Path) -> Result<(), String> {
    let installed = cargo::command(root)
        .args(["deny", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !installed {
        println!("    skipped: cargo-deny is not installed (`cargo install cargo-deny --locked`)");
        return Ok(());
    }
    let checks = ["check", "--hide-inclusion-graph", "bans", "licenses", "sources"];
    // Without --workspace it looks at the root package alone.
    run(cargo::command(root)
        .args(["deny", "--workspace", "--all-features", "--locked"])
        .args(checks)
        .args(["--allow", "license-exception-not-encountered"]))?;
    // The lists name what all of them need; that one needs less is no news.
    OUTSIDE.iter().try_for_each(|manifest| {
        run(cargo::command(root)
            .args(["deny", "--manifest-path", manifest, "--config", "deny.toml"])
            .args(["--all-features", "--locked"])
            .args(checks)
            .args(["--allow", "license-not-encountered"])
            .args(["--allow", "license-exception-not-encountered"]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_without_tests_or_with_ignored_ones_does_not_pass() {
        let totals = |passed, failed, ignored| Totals { passed, failed, ignored };
        assert!(check_totals(totals(0, 0, 0)).is_err());
        assert!(check_totals(totals(5, 1, 0)).is_err());
        assert!(check_totals(totals(5, 0, 1)).is_err());
        assert!(check_totals(totals(5, 0, 0)).is_ok());
    }
}
