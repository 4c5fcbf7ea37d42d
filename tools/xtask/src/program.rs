//! The programs of this workspace that measure and attack it: built by cargo, then run.

use std::path::Path;
use std::process::{Command, ExitCode, ExitStatus};

use crate::cargo;

/// A package with one program of the same name.
#[derive(Clone, Copy)]
pub(crate) struct Program {
    pub(crate) name: &'static str,
    features: &'static [&'static str],
}

pub(crate) const BENCH: Program = Program { name: "foldlog-bench", features: &[] };
pub(crate) const TORTURE: Program = Program { name: "foldlog-torture", features: &["planted"] };

impl Program {
    /// The command that builds it for speed and runs it; the program's words are still to be added.
    pub(crate) fn release(&self, root: &Path) -> Command {
        let mut command = cargo::command(root);
        command.args(["run", "--release", "--locked", "--package", self.name]);
        if !self.features.is_empty() {
            command.args(["--features", &self.features.join(",")]);
        }
        command.arg("--");
        command
    }

    /// Runs it in our place: its output and its exit code are ours. Nothing of our own is printed,
    /// because a script reads the last line.
    pub(crate) fn run_as(&self, root: &Path, words: &[String]) -> Result<ExitCode, String> {
        let status = self
            .release(root)
            .args(words)
            .status()
            .map_err(|e| format!("{} did not start: {e}", self.name))?;
        Ok(exit_code(status))
    }
}

/// The exit code of another program as one of our own; killed by a signal, it is what a shell says.
fn exit_code(status: ExitStatus) -> ExitCode {
    use std::os::unix::process::ExitStatusExt;
    let code = status.code().or(status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(command: &Command) -> Vec<String> {
        command.get_args().map(|word| word.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn bugs_can_be_planted_in_the_torture_only() {
        let root = Path::new(".");
        let bench = ["run", "--release", "--locked", "--package", "foldlog-bench", "--"];
        assert_eq!(words(&BENCH.release(root)), bench);
        assert!(words(&TORTURE.release(root)).contains(&"planted".to_owned()));
    }

    #[test]
    fn a_program_that_fails_fails_us_with_its_own_code() {
        let status =
            |words: &str| Command::new("sh").args(["-c", words]).status().expect("a shell");
        let shown = |words: &str| format!("{:?}", exit_code(status(words)));
        assert_eq!(shown("exit 7"), format!("{:?}", ExitCode::from(7)));
        assert_eq!(shown("kill -9 $$"), format!("{:?}", ExitCode::from(137)));
    }
}
