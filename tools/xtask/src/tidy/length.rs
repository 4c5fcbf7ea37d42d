//! No file of code is longer than a person reads in one go.

use super::Finding;
use super::tree::Tree;

const LINES_MAX: usize = 600;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    tree.files()
        .iter()
        .filter(|file| file.is_rust() || file.is_sql())
        .filter_map(|file| {
            let lines = file.text.lines().count();
            (lines > LINES_MAX).then(|| Finding {
                file: file.path.clone(),
                line: None,
                reason: format!("{lines} lines, more than {LINES_MAX}"),
                remedy: "split it by the nouns it holds",
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::planted;

    #[test]
    fn a_file_over_the_limit_is_found_and_one_at_the_limit_is_not() {
        let (_folder, tree) = planted(&[
            ("core/src/long.rs", &"\n".repeat(601)),
            ("core/src/full.rs", &"\n".repeat(600)),
            ("pg/sql/long.sql", &"-- a\n".repeat(601)),
            ("long.md", &"a\n".repeat(601)),
        ]);
        let files: Vec<String> = check(&tree).into_iter().map(|finding| finding.file).collect();
        assert_eq!(files, ["core/src/long.rs", "pg/sql/long.sql"]);
    }
}
