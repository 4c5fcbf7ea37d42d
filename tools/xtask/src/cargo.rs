//! The cargo that started us, ready to be given its words.

use std::path::Path;
use std::process::Command;

/// A cargo command in `root`.
pub(crate) fn command(root: &Path) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(root);
    // The cargo that started us described us to us. Build scripts that watch these variables, ring's
    // for one, would run again, and all that stands on them be compiled again, each time somebody
    // changes between `cargo xtask` and cargo itself.
    for (name, _) in std::env::vars_os().filter(|(name, _)| describes_us(&name.to_string_lossy())) {
        command.env_remove(name);
    }
    // A machine that builds once and is thrown away gains nothing from incremental files, and they
    // cost time and disk. Whoever set the variable knows better.
    if in_ci() && std::env::var_os("CARGO_INCREMENTAL").is_none() {
        command.env("CARGO_INCREMENTAL", "0");
    }
    command
}

fn describes_us(name: &str) -> bool {
    ["CARGO_MANIFEST_", "CARGO_PKG_"].iter().any(|start| name.starts_with(start))
}

fn in_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_describes_us_is_not_told_to_another_cargo_and_what_a_user_sets_is() {
        let command = command(Path::new("."));
        let taken_away: Vec<&std::ffi::OsStr> =
            command.get_envs().filter(|(_, value)| value.is_none()).map(|(name, _)| name).collect();
        assert!(taken_away.iter().any(|name| *name == "CARGO_MANIFEST_DIR"), "{taken_away:?}");
        assert!(!describes_us("CARGO_TARGET_DIR") && !describes_us("CARGO_HOME"));
    }
}
