//! A server in a container, held by a program of a workspace of its own.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};

use crate::cargo;

/// Not of our workspace: what speaks to Docker would be compiled by everyone otherwise.
const MANIFEST: &str = "tools/container/Cargo.toml";
const TARGET: &str = "target/container";

/// A running container; it goes when this does.
pub(super) struct Held {
    program: Child,
    url: String,
}

/// Starts it, and waits until its server answers; fails where no Docker daemon does.
pub(super) fn start(root: &Path) -> Result<Held, String> {
    let mut program = cargo::command(root)
        .args(["run", "--locked", "--manifest-path", MANIFEST, "--target-dir", TARGET])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| format!("the container's program did not start: {e}"))?;
    let mut url = String::new();
    let read = match program.stdout.take() {
        Some(pipe) => BufReader::new(pipe).read_line(&mut url),
        None => Ok(0),
    };
    if matches!(read, Ok(bytes) if bytes > 0) {
        return Ok(Held { program, url: url.trim().to_owned() });
    }
    // It has closed its output, so it is about to end.
    let ended = program.wait().map_err(|e| format!("the container's program is lost: {e}"))?;
    Err(format!("no container could be started ({ended}), see above"))
}

impl Held {
    pub(super) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // The end of its input tells it to remove the container.
        drop(self.program.stdin.take());
        match self.program.wait() {
            Ok(status) if status.success() => {}
            Ok(status) => eprintln!("xtask: the container's program ended with {status}"),
            Err(error) => eprintln!("xtask: the container's program is lost: {error}"),
        }
    }
}
