//! Where PostgreSQL's binaries usually are.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::binaries::Binaries;
use crate::connect::Variables;

/// Folders with one part left open, by system.
const PATTERNS: [(&str, &str); 5] = [
    ("usr/lib/postgresql", "bin"), // Debian, Ubuntu
    ("usr", "bin"),                // /usr/pgsql-17/bin: Red Hat
    ("opt/homebrew/opt", "bin"),   // Homebrew on Apple silicon
    ("usr/local/opt", "bin"),      // Homebrew on Intel
    ("Applications/Postgres.app/Contents/Versions", "bin"), // Postgres.app
];

/// All binaries found, each folder once; the order says nothing.
pub(super) fn search(root: &Path, variables: &Variables) -> Vec<Binaries> {
    let mut found: Vec<Binaries> = Vec::new();
    for folder in folders(root, variables) {
        if let Some(binaries) = Binaries::of(&folder)
            && !found.contains(&binaries)
        {
            found.push(binaries);
        }
    }
    found
}

fn folders(root: &Path, variables: &Variables) -> Vec<PathBuf> {
    let path: Vec<PathBuf> = variables
        .get("PATH")
        .map(|path| std::env::split_paths(path).filter(|folder| folder.is_absolute()).collect())
        .unwrap_or_default();
    let told = path.iter().find_map(|folder| told_by_pg_config(&folder.join("pg_config")));
    let mut folders = path;
    folders.extend(told);
    for (parent, last) in PATTERNS {
        let Ok(entries) = std::fs::read_dir(root.join(parent)) else { continue };
        let mut children: Vec<PathBuf> = entries
            .flatten()
            .filter(|entry| fits(parent, &entry.file_name().to_string_lossy()))
            .map(|entry| entry.path().join(last))
            .collect();
        children.sort();
        folders.extend(children);
    }
    folders
}

/// Whether a child of a patterned folder is one of PostgreSQL.
fn fits(parent: &str, child: &str) -> bool {
    match parent {
        "usr" => child.starts_with("pgsql-"),
        "opt/homebrew/opt" | "usr/local/opt" => {
            child == "postgresql" || child.starts_with("postgresql@")
        }
        _ => true,
    }
}

fn told_by_pg_config(program: &Path) -> Option<PathBuf> {
    if !program.is_file() {
        return None;
    }
    let mut asking = Command::new(program);
    asking.arg("--bindir").stdin(Stdio::null()).stderr(Stdio::null());
    let answer = asking.output().ok().filter(|output| output.status.success())?;
    Some(PathBuf::from(String::from_utf8(answer.stdout).ok()?.trim()))
}
