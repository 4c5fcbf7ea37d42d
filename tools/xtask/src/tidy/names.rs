//! Files and modules are named after the thing they hold.

use std::collections::BTreeSet;

use super::Finding;
use super::rust::Kind;
use super::tree::{File, Tree};

/// Names that say nothing, so that everything ends up behind them.
const EMPTY_NAMES: [&str; 9] =
    ["common", "helper", "helpers", "manager", "managers", "misc", "types", "util", "utils"];

const REMEDY: &str = "name it after the thing it holds";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let code = || tree.files().iter().filter(|file| file.is_rust() || file.is_sql());
    let paths: BTreeSet<String> = code().filter_map(|file| empty_part(&file.path)).collect();
    let by_path = paths.into_iter().map(|file| Finding {
        file,
        line: None,
        reason: "this name says nothing".to_owned(),
        remedy: REMEDY,
    });
    by_path.chain(code().flat_map(modules)).collect()
}

/// The path up to the first folder or file with an empty name.
fn empty_part(path: &str) -> Option<String> {
    let mut walked = String::new();
    for part in path.split('/') {
        if !walked.is_empty() {
            walked.push('/');
        }
        walked.push_str(part);
        let stem = part.split('.').next().unwrap_or(part);
        if EMPTY_NAMES.contains(&stem) {
            return Some(walked);
        }
    }
    None
}

/// Modules written within a file; one in a file of its own is found by its path.
fn modules(file: &File) -> Vec<Finding> {
    file.tokens()
        .windows(3)
        .filter_map(|window| match window {
            [keyword, name, body]
                if keyword.kind == Kind::Word("mod".to_owned()) && body.kind == Kind::Mark('{') =>
            {
                let Kind::Word(word) = &name.kind else { return None };
                EMPTY_NAMES.contains(&word.as_str()).then(|| Finding {
                    file: file.path.clone(),
                    line: Some(name.line),
                    reason: format!("the name of the module `{word}` says nothing"),
                    remedy: REMEDY,
                })
            }
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::planted;

    #[test]
    fn empty_names_of_files_folders_and_modules_are_found_once_each() {
        let (_folder, tree) = planted(&[
            ("core/src/utils.rs", ""),
            ("core/tests/common/mod.rs", ""),
            ("core/tests/common/more.rs", ""),
            ("pg/sql/misc.sql", "-- a\n"),
            ("core/src/lib.rs", "mod utils;\nmod helpers { }\n"),
        ]);
        let found: Vec<String> = check(&tree).into_iter().map(|finding| finding.file).collect();
        let expected =
            ["core/src/utils.rs", "core/tests/common", "pg/sql/misc.sql", "core/src/lib.rs"];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_noun_that_contains_an_empty_name_is_left_alone() {
        let (_folder, tree) = planted(&[("core/src/event_types.rs", "mod commons { }")]);
        assert!(check(&tree).is_empty());
    }
}
