//! `cargo xtask tidy`: the rules of the house that no compiler knows.
//!
//! A rule is a function from the tree to its findings, in a file of its own, with a test that plants
//! a violation and sees it caught.

mod embedded_sql;
mod floors;
mod length;
mod names;
mod promises;
mod rust;
mod sql_files;
mod tree;
mod unfinished;

use std::fmt;
use std::path::Path;

use tree::Tree;

/// A place where a rule is broken.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    file: String,
    line: Option<usize>,
    reason: String,
    remedy: &'static str,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}; {}", self.reason, self.remedy)
    }
}

const RULES: [fn(&Tree) -> Vec<Finding>; 7] = [
    floors::check,
    length::check,
    names::check,
    embedded_sql::check,
    sql_files::check,
    unfinished::check,
    promises::check,
];

/// Prints each finding on a line of its own, and fails when there is one.
pub(crate) fn run(root: &Path) -> Result<(), String> {
    let tree = Tree::load(root).map_err(|e| format!("tidy: the tree can't be read: {e}"))?;
    let mut findings: Vec<Finding> = tree.unreadable();
    findings.extend(RULES.iter().flat_map(|rule| rule(&tree)));
    findings.sort();
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => {
            println!("tidy: {} files, nothing found", tree.files().len());
            Ok(())
        }
        1 => Err("1 finding".to_owned()),
        many => Err(format!("{many} findings")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tree::planted;

    #[test]
    fn a_finding_is_one_line_with_file_reason_and_remedy() {
        let finding = Finding {
            file: "pg/src/lib.rs".to_owned(),
            line: Some(7),
            reason: "`todo!` is unfinished".to_owned(),
            remedy: "finish it",
        };
        assert_eq!(finding.to_string(), "pg/src/lib.rs:7: `todo!` is unfinished; finish it");
    }

    #[test]
    fn a_file_that_is_not_rust_is_a_finding_and_not_a_pass() {
        let (_folder, tree) = planted(&[("core/src/lib.rs", "fn f() { \" }")]);
        assert_eq!(tree.unreadable().len(), 1);
    }
}
