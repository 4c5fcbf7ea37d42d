//! Every promise in prose names a test that exists.

use super::Finding;
use super::rust::Kind;
use super::tree::{File, Tree};

const DOCUMENTS: [&str; 3] = ["ARCHITECTURE.md", "GUARANTEES.md", "docs/track-record.md"];

/// How a line begins that promises something now.
const PROMISES: [&str; 2] = ["**Invariant:**", "**Held"];

const REMEDY: &str = "name an existing test, as `crate/tests/topic.rs: test_name`";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    DOCUMENTS.iter().flat_map(|path| check_document(tree, path)).collect()
}

fn check_document(tree: &Tree, path: &str) -> Vec<Finding> {
    let finding = |line, reason| Finding { file: path.to_owned(), line, reason, remedy: REMEDY };
    let Some(document) = tree.file(path) else {
        return vec![finding(None, "the document is missing".to_owned())];
    };
    let mut findings = Vec::new();
    for (line, paragraph) in paragraphs(&document.text) {
        let named = references(paragraph);
        if named.is_empty() && paragraph.lines().any(is_promise) {
            findings.push(finding(Some(line), "a promise without a test".to_owned()));
        }
        for (file, test) in named {
            if !tree.file(file).is_some_and(|file| defines(file, test)) {
                findings.push(finding(Some(line), format!("there is no `fn {test}` in {file}")));
            }
        }
    }
    findings
}

fn is_promise(line: &str) -> bool {
    let line = line.trim_start().trim_start_matches("- ");
    PROMISES.iter().any(|promise| line.starts_with(promise))
}

/// The paragraphs with the line each begins on; an item of a list is a paragraph.
fn paragraphs(text: &str) -> Vec<(usize, &str)> {
    let mut found: Vec<(usize, &str)> = Vec::new();
    let mut start: Option<(usize, usize)> = None;
    let mut at = 0;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let ends = line.trim().is_empty() || line.trim_start().starts_with("- ");
        if ends && let Some((number, from)) = start.take() {
            found.push((number, text.get(from..at).unwrap_or_default()));
        }
        if !line.trim().is_empty() && start.is_none() {
            start = Some((index + 1, at));
        }
        at += line.len();
    }
    if let Some((number, from)) = start {
        found.push((number, text.get(from..).unwrap_or_default()));
    }
    found
}

/// The tests named in code spans of the form `file.rs: test` or `file.rs: test, test`.
fn references(paragraph: &str) -> Vec<(&str, &str)> {
    let spans = paragraph.split('`').skip(1).step_by(2);
    let named = spans.filter_map(|span| {
        let (file, tests) = span.split_once(':')?;
        let is_reference = file.ends_with(".rs") && !tests.starts_with(':');
        is_reference.then_some((file.trim(), tests))
    });
    named.flat_map(|(file, tests)| tests.split(',').map(move |test| (file, test.trim()))).collect()
}

fn defines(file: &File, test: &str) -> bool {
    file.tokens().windows(2).any(|window| match window {
        [keyword, name] => {
            keyword.kind == Kind::Word("fn".to_owned()) && name.kind == Kind::Word(test.to_owned())
        }
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::planted;

    fn found(architecture: &str) -> Vec<(Option<usize>, String)> {
        let (_folder, tree) = planted(&[
            ("GUARANTEES.md", ""),
            ("ARCHITECTURE.md", architecture),
            ("docs/track-record.md", "| a bug | `pg/tests/settled.rs: a_row_waits` |"),
            ("pg/tests/settled.rs", "#[test] fn a_row_waits() {}\n// fn in_a_comment() {}\n"),
        ]);
        check(&tree).into_iter().map(|finding| (finding.line, finding.reason)).collect()
    }

    #[test]
    fn tests_that_exist_are_accepted() {
        assert!(
            found("# A\n\n**Invariant:** rows wait\n(`pg/tests/settled.rs: a_row_waits`).\n")
                .is_empty()
        );
        assert!(found("Nothing is promised about `pg::settled` in `pg/src/lib.rs`.").is_empty());
    }

    #[test]
    fn tests_that_do_not_exist_are_found() {
        let found = found(
            "# A\n\n`pg/tests/settled.rs: a_row_waits, in_a_comment`\n- `pg/tests/gone.rs: a_row_waits`",
        );
        let lines: Vec<Option<usize>> = found.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [3, 4].map(Some), "{found:?}");
    }

    #[test]
    fn a_promise_without_a_test_is_found() {
        let found = found(
            "- **Invariant:** one.\n- **Invariant:** two\n  (`pg/tests/settled.rs: a_row_waits`)\n\nG2.\n**Held.** three\n\nAn **Invariant:** is explained.\n",
        );
        let lines: Vec<Option<usize>> = found.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [1, 5].map(Some), "{found:?}");
    }

    #[test]
    fn a_missing_document_is_found() {
        let (_folder, tree) = planted(&[("README.md", "")]);
        assert_eq!(check(&tree).len(), 3);
    }
}
