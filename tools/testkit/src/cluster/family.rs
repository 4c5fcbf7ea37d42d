//! The processes of a server: what the system says of a process and of its children.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};

/// What a process is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Working,
    /// Stopped by a signal.
    Stopped,
    /// Ended, and not waited for by its parent.
    Ended,
}

/// Whether this system tells of processes in the way that is read here.
pub(super) fn is_known() -> bool {
    look(std::process::id() as i32).is_some()
}

/// The state of a process and its parent's number; none if there is no such process.
pub(super) fn look(pid: i32) -> Option<(State, i32)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in parentheses and may hold anything.
    let (_, rest) = text.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    let state = match fields.next()? {
        "T" | "t" => State::Stopped,
        "Z" | "X" => State::Ended,
        _ => State::Working,
    };
    Some((state, fields.next()?.parse().ok()?))
}

/// The children of a process, without those that have ended.
pub(super) fn children(parent: i32) -> Vec<i32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(
        |pid| matches!(look(*pid), Some((state, of)) if of == parent && state != State::Ended),
    )
    .collect()
}

/// A process that is gone already is fine.
pub(super) fn signal(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _gone = kill_process(pid, signal);
    }
}
