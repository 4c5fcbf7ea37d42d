//! The inputs that are kept: those of all targets, and those of one.

use std::fs;
use std::path::{Path, PathBuf};

/// The folder of inputs that are nasty for everybody.
const ALL: &str = "all";

pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

/// The inputs for a target, each with its name, in an order that does not change.
pub(crate) fn of(target: &str) -> Vec<(String, Vec<u8>)> {
    let mut inputs = Vec::new();
    for folder in [folder().join(ALL), folder().join(target)] {
        let entries = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        for entry in entries {
            let path = entry.unwrap().path();
            inputs.push((path.display().to_string(), fs::read(&path).unwrap()));
        }
    }
    inputs.sort();
    inputs
}
