//! Another process that works on the views: this program, started again.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};

use crate::Failure;
use crate::worker::READY;

const PATIENCE: Duration = Duration::from_secs(60);

pub struct Process {
    child: Child,
    // It ends when this does.
    input: ChildStdin,
}

impl Process {
    /// Starts it, and waits until it works.
    pub async fn start(url: &str) -> Result<Self, Failure> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["worker", url])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("the other process has no standard input and output".into());
        };
        let mut said = String::new();
        let mut output = BufReader::new(output);
        tokio::time::timeout(PATIENCE, output.read_line(&mut said)).await??;
        if said.trim() != READY {
            return Err(format!("the other process said {said:?} instead of {READY:?}").into());
        }
        Ok(Self { child, input })
    }

    /// Tells it to end, and waits for that.
    pub async fn end(self) -> Result<(), Failure> {
        let Self { mut child, input } = self;
        drop(input);
        let status = tokio::time::timeout(PATIENCE, child.wait()).await??;
        if status.success() { Ok(()) } else { Err(format!("the other process: {status}").into()) }
    }
}
