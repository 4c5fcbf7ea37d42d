//! Every promise in prose names a test that exists.

use super::Finding;
use super::rust::Kind;
use super::tree::{File, Tree};

const TRACK_RECORD: &str = "docs/track-record.md";
const DOCUMENTS: [&str; 3] = ["ARCHITECTURE.md", "GUARANTEES.md", TRACK_RECORD];

/// How a line begins that promises something now.
const PROMISES: [&str; 2] = ["**Invariant:**", "**Held"];

/// How a row of the track record says that it has no test, in lower case.
const ADMISSIONS: [&str; 3] = ["no test of its own", "there is no such test", "comes with"];

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
    let mut paragraphs = paragraphs(&document.text).into_iter().peekable();
    while let Some((line, paragraph)) = paragraphs.next() {
        let named = references(paragraph);
        if named.is_empty() && paragraph.lines().any(is_promise) {
            findings.push(finding(Some(line), "a promise without a test".to_owned()));
        }
        let is_head = paragraphs.peek().is_some_and(|(_, next)| is_rule(next));
        let is_entry = path == TRACK_RECORD && is_row(paragraph) && !is_rule(paragraph) && !is_head;
        if is_entry && named.is_empty() && !admits(paragraph) {
            let reason = "this row names no test, and does not say that there is none".to_owned();
            findings.push(finding(Some(line), reason));
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

fn is_row(line: &str) -> bool {
    line.starts_with('|')
}

/// The line between the head of a table and its rows.
fn is_rule(line: &str) -> bool {
    line.starts_with("|-")
}

fn admits(row: &str) -> bool {
    let row = row.to_lowercase();
    ADMISSIONS.iter().any(|words| row.contains(words))
}

/// The paragraphs with the line each begins on; an item of a list and a row of a table are
/// paragraphs.
fn paragraphs(text: &str) -> Vec<(usize, &str)> {
    let mut found: Vec<(usize, &str)> = Vec::new();
    let mut start: Option<(usize, usize)> = None;
    let mut at = 0;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let ends = line.trim().is_empty() || line.trim_start().starts_with("- ") || is_row(line);
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
            (
                TRACK_RECORD,
                "| The bug | Held down by |\n|---|---|\n| one | Comes with the log. |\n",
            ),
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
    fn a_row_of_the_track_record_names_a_test_or_says_that_there_is_none() {
        let record = "| The bug | Held down by |\n|---|---|\n\
            | one | `pg/tests/settled.rs: a_row_waits` |\n\
            | two | `pg/tests/settled.rs: a_row_is_gone` |\n\
            | three | No test of its own: it is slow. |\n\
            | four | we shall see |\n";
        let (_folder, tree) = planted(&[
            ("GUARANTEES.md", ""),
            ("ARCHITECTURE.md", ""),
            (TRACK_RECORD, record),
            ("pg/tests/settled.rs", "#[test] fn a_row_waits() {}"),
        ]);
        let lines: Vec<Option<usize>> = check(&tree).iter().map(|finding| finding.line).collect();
        assert_eq!(lines, [4, 6].map(Some));
    }

    #[test]
    fn a_missing_document_is_found() {
        let (_folder, tree) = planted(&[("README.md", "")]);
        assert_eq!(check(&tree).len(), 3);
    }
}
