//! The cargo that started us, ready to be given its words.

use std::path::Path;
use std::process::Command;

/// A cargo command in `root`.
pub(crate) fn command(root: &Path) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(root);
    // A machine that builds once and is thrown away gains nothing from incremental files, and they
    // cost time and disk. Whoever set the variable knows better.
    if in_ci() && std::env::var_os("CARGO_INCREMENTAL").is_none() {
        command.env("CARGO_INCREMENTAL", "0");
    }
    command
}

fn in_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false")
}
