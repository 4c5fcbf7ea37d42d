//! One step of a longer task: its name before, its time after, its output in between.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// Runs `work` under a name; a failure is told with the name and the time.
pub(crate) fn timed<T>(name: &str, work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    println!("==> {name}");
    let start = Instant::now();
    let result = work();
    let seconds = start.elapsed().as_secs_f64();
    match result {
        Ok(value) => {
            println!("<== {name}: ok in {seconds:.1} s\n");
            Ok(value)
        }
        Err(reason) => Err(format!("{name} failed after {seconds:.1} s: {reason}")),
    }
}

/// Runs a command that writes to our own output.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    let words = announce(command);
    let status = command.status().map_err(|e| format!("`{words}` did not start: {e}"))?;
    if status.success() { Ok(()) } else { Err(format!("`{words}` ended with {status}")) }
}

/// Runs a command, passes its standard output on as it comes, and shows each line to `see`.
pub(crate) fn run_seen(command: &mut Command, mut see: impl FnMut(&str)) -> Result<(), String> {
    let words = announce(command);
    let broken = |e: std::io::Error| format!("the output of `{words}` broke off: {e}");
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| format!("`{words}` did not start: {e}"))?;
    if let Some(pipe) = child.stdout.take() {
        let mut lines = BufReader::new(pipe);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).map_err(broken)? > 0 {
            let text = String::from_utf8_lossy(&line);
            print!("{text}");
            see(text.trim_end());
            line.clear();
        }
    }
    let status = child.wait().map_err(broken)?;
    if status.success() { Ok(()) } else { Err(format!("`{words}` ended with {status}")) }
}

/// Prints the command as one would type it, and gives it back.
fn announce(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_stem().unwrap_or_default();
    let mut words = program.to_string_lossy().into_owned();
    for word in command.get_args() {
        words.push(' ');
        words.push_str(&word.to_string_lossy());
    }
    println!("    {words}");
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_the_step() {
        let failed: Result<(), String> = timed("planted", || Err("on purpose".to_owned()));
        let reason = failed.expect_err("the step fails");
        assert!(reason.starts_with("planted failed after "), "{reason}");
        assert!(reason.ends_with("on purpose"), "{reason}");
    }

    #[test]
    fn a_command_that_fails_is_an_error_and_its_output_was_seen() {
        let mut seen = Vec::new();
        let mut command = crate::cargo::command(std::path::Path::new("."));
        command.args(["help", "no-such-command"]).stderr(Stdio::null());
        assert!(run_seen(&mut command, |line| seen.push(line.to_owned())).is_err());

        let mut command = crate::cargo::command(std::path::Path::new("."));
        run_seen(command.arg("--version"), |line| seen.push(line.to_owned())).expect("a version");
        assert!(seen.iter().any(|line| line.starts_with("cargo ")), "{seen:?}");
    }
}
