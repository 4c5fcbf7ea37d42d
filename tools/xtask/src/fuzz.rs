//! `cargo xtask fuzz`: the targets of `tools/fuzz`, guided by the coverage that each input brings.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::step::{run, timed};

/// A workspace of its own, built by a nightly compiler.
pub(crate) const MANIFEST: &str = "tools/fuzz/libfuzzer/Cargo.toml";
const FOLDER: &str = "tools/fuzz/libfuzzer";
const CORPUS: &str = "tools/fuzz/corpus";
/// What is found on the way stays here; what is to be kept goes into the corpus by hand.
const TARGET: &str = "target/libfuzzer";

/// How long an input may take before it counts as one that hangs.
const INPUT_SECONDS: u32 = 10;
const INPUT_BYTES: u32 = 4_096;

/// Lets each target run for so many seconds, also after one has failed.
pub(crate) fn run_each(root: &Path, seconds: u32, only: Option<&str>) -> Result<(), String> {
    tools(root)?;
    let targets = targets(root, only)?;
    timed("build", || run(cargo_fuzz(root).args(["build", "--sanitizer", "none"]).args(places())))?;
    let mut failed = Vec::new();
    for target in &targets {
        if let Err(reason) = timed(target, || guided(root, target, seconds)) {
            eprintln!("{reason}\n");
            failed.push(target.as_str());
        }
    }
    println!("fuzz: {} targets for {seconds} s each, {} failed", targets.len(), failed.len());
    match failed.as_slice() {
        [] => Ok(()),
        failed => Err(format!(
            "fuzz: {} failed; put the input that is named above into {CORPUS}/TARGET and mend it",
            failed.join(", ")
        )),
    }
}

fn guided(root: &Path, target: &str, seconds: u32) -> Result<(), String> {
    let found = format!("{TARGET}/found/{target}");
    std::fs::create_dir_all(root.join(&found)).map_err(|e| format!("{found}: {e}"))?;
    let own = format!("{CORPUS}/{target}");
    run(cargo_fuzz(root)
        .args(["run", "--sanitizer", "none"])
        .args(places())
        .args([target, &found, &own, &format!("{CORPUS}/all"), "--"])
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-timeout={INPUT_SECONDS}"))
        .arg(format!("-max_len={INPUT_BYTES}"))
        .args(["-verbosity=0", "-print_final_stats=1"]))
}

fn places() -> [&'static str; 4] {
    ["--fuzz-dir", FOLDER, "--target-dir", TARGET]
}

/// Nightly's cargo, as if it had been called by itself and not by the stable one that started us.
fn nightly(root: &Path) -> Command {
    let mut command = Command::new("rustup");
    command.args(["run", "nightly", "cargo"]).current_dir(root);
    for name in ["CARGO", "RUSTC", "RUSTDOC", "RUSTUP_TOOLCHAIN"] {
        command.env_remove(name);
    }
    command
}

fn cargo_fuzz(root: &Path) -> Command {
    let mut command = nightly(root);
    command.arg("fuzz");
    command
}

fn tools(root: &Path) -> Result<(), String> {
    if !succeeds(nightly(root).arg("--version")) {
        return Err("fuzz: there is no nightly compiler: `rustup toolchain install nightly \
                    --profile minimal`"
            .to_owned());
    }
    if !succeeds(cargo_fuzz(root).arg("--version")) {
        return Err("fuzz: there is no cargo-fuzz: `cargo install cargo-fuzz --locked`".to_owned());
    }
    Ok(())
}

fn succeeds(command: &mut Command) -> bool {
    let silent = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    silent.status().is_ok_and(|status| status.success())
}

/// The programs of the manifest, or the one that is asked for.
fn targets(root: &Path, only: Option<&str>) -> Result<Vec<String>, String> {
    let path = root.join(MANIFEST);
    let manifest = std::fs::read_to_string(path).map_err(|e| format!("{MANIFEST}: {e}"))?;
    let all = named(&manifest);
    match only {
        None => Ok(all),
        Some(name) if all.iter().any(|target| target == name) => Ok(vec![name.to_owned()]),
        Some(name) => Err(format!("`{name}` is no target; there are {}", all.join(", "))),
    }
}

fn named(manifest: &str) -> Vec<String> {
    let programs = manifest.split("[[bin]]").skip(1);
    let names = programs.filter_map(|program| program.split("name = \"").nth(1)?.split('"').next());
    names.map(ToOwned::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_programs_of_a_manifest_are_its_targets() {
        let manifest = "[package]\nname = \"p\"\n\n[[bin]]\nname = \"key\"\npath = \"k.rs\"\n\n\
                        [[bin]]\nname = \"tag\"\n";
        assert_eq!(named(manifest), ["key", "tag"]);
    }

    #[test]
    fn a_target_that_is_none_is_refused_with_those_that_are() {
        let root = crate::workspace::root().expect("a workspace");
        let refused = targets(&root, Some("nothing")).expect_err("no such target");
        assert!(refused.contains("stream") && refused.contains("token"), "{refused}");
        assert_eq!(targets(&root, Some("token")), Ok(vec!["token".to_owned()]));
    }
}
