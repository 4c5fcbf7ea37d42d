//! The examples as programs, and the README as one of them.

use std::path::PathBuf;
use std::process::Command;

/// An example, built as the tests are.
pub(crate) fn built(name: &str) -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["build", "--quiet", "--locked", "--all-features", "--example", name])
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    // What cargo told this test of its package is not what it would tell build scripts: those that
    // look at it would run again, and everything above them would be compiled again.
    for (variable, _) in std::env::vars_os() {
        let text = variable.to_string_lossy();
        if text.starts_with("CARGO_MANIFEST_") || text.starts_with("CARGO_PKG_") {
            cargo.env_remove(variable);
        }
    }
    assert!(cargo.status().unwrap().success());
    let test = std::env::current_exe().unwrap();
    test.parent().unwrap().parent().unwrap().join("examples").join(name)
}

/// A source without what its layout adds.
fn bare(source: &str) -> String {
    let mut bare: String = source.chars().filter(|c| !c.is_whitespace()).collect();
    for close in ["}", ")", "]"] {
        bare = bare.replace(&format!(",{close}"), close);
    }
    bare
}

#[test]
fn the_listing_of_the_readme_is_the_bank_of_the_examples() {
    let readme = include_str!("../README.md");
    let listing = readme.split("```rust,no_run\n").nth(1).unwrap().split("```").next().unwrap();
    let (about, program) =
        include_str!("../examples/bank/main.rs").split_once('\n').expect("a line of its own");
    assert!(about.starts_with("//!"));
    assert_eq!(bare(listing), bare(program));
}

#[tokio::test]
async fn the_bank_says_what_it_does() {
    let database = foldlog_testkit::server().await.database().await;
    let mut bank = Command::new(built("bank"));
    bank.env("DATABASE_URL", database.url());
    let said = tokio::task::spawn_blocking(move || bank.output().unwrap()).await.unwrap();
    assert!(said.status.success(), "{said:?}");
    let said = String::from_utf8(said.stdout).unwrap();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(
        lines[..4],
        [
            "deposited 900: the balance is 900, at version 2",
            "refused: 100 cents short",
            "withdrew 500: 400 left, repeated: false",
            "withdrew 500: 400 left, repeated: true",
        ]
    );
    assert!(lines[4].starts_with("at least as new as the deposit: Some(Balance"), "{said}");
    assert!(lines[5].ends_with("owner: \"Ada\", cents: 400 })"), "{said}");
}
