//! A statement in a file says what it is before it starts, and is written in lower case.

use super::Finding;
use super::tree::{File, Tree};

/// Where statements live. Migrations are history: they are not rewritten for their looks.
const FOLDERS: [&str; 4] = ["pg/sql/", "eventstore/sql/", "projections/sql/", "sql/"];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    tree.files()
        .iter()
        .filter(|file| file.is_sql())
        .filter(|file| FOLDERS.iter().any(|folder| file.path.starts_with(folder)))
        .flat_map(check_file)
        .collect()
}

fn check_file(file: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !has_header(&file.text) {
        findings.push(Finding {
            file: file.path.clone(),
            line: Some(1),
            reason: "no header comment".to_owned(),
            remedy: "begin with `-- name: what it does`, its parameters, locks and index",
        });
    }
    findings.extend(upper_case_words(&file.text).into_iter().map(|(line, word)| Finding {
        file: file.path.clone(),
        line: Some(line),
        reason: format!("`{word}` is in upper case"),
        remedy: "write SQL in lower case",
    }));
    findings
}

fn has_header(text: &str) -> bool {
    let first = text.lines().next().unwrap_or_default();
    first.strip_prefix("--").is_some_and(|comment| !comment.trim().is_empty())
}

/// Words of two letters or more, all upper case, outside comments and quotes.
fn upper_case_words(text: &str) -> Vec<(usize, String)> {
    let plain = without_quotes(text);
    let mut found = Vec::new();
    for (index, line) in plain.lines().enumerate() {
        for word in line.split(|c: char| !c.is_alphanumeric() && c != '_') {
            let letters = word.chars().filter(|c| c.is_alphabetic()).count();
            if letters >= 2 && !word.chars().any(char::is_lowercase) {
                found.push((index + 1, word.to_owned()));
            }
        }
    }
    found
}

/// The text with blanks for comments and quoted parts; lines stay where they are.
///
/// The body of a dollar-quoted function is code and stays.
fn without_quotes(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped = match first {
            '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => end_after(rest, 2, "*/"),
            '\'' => end_after(rest, 1, "'"),
            '"' => end_after(rest, 1, "\""),
            _ => 0,
        };
        if skipped == 0 {
            plain.push(first);
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
        } else {
            let part = rest.get(..skipped).unwrap_or(rest);
            plain.push(' ');
            plain.extend(part.chars().filter(|&c| c == '\n'));
            rest = rest.get(skipped..).unwrap_or_default();
        }
    }
    plain
}

/// The length up to and with the closing mark; all of the rest where it is missing. A doubled quote
/// closes one part and opens the next, which comes to the same.
fn end_after(rest: &str, from: usize, mark: &str) -> usize {
    let inner = rest.get(from..).unwrap_or_default();
    inner.find(mark).map_or(rest.len(), |at| from + at + mark.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::planted;

    #[test]
    fn a_missing_header_and_upper_case_words_are_found() {
        let (_folder, tree) = planted(&[
            ("pg/sql/settled_read.sql", "select 1\n"),
            ("eventstore/sql/stream_read.sql", "-- stream_read: a page.\nselect 1\nFROM t\n"),
            ("projections/sql/empty.sql", "--\nselect 1"),
        ]);
        let found: Vec<(String, Option<usize>)> =
            check(&tree).into_iter().map(|finding| (finding.file, finding.line)).collect();
        let expected = [
            ("eventstore/sql/stream_read.sql", 3),
            ("pg/sql/settled_read.sql", 1),
            ("projections/sql/empty.sql", 1),
        ];
        assert_eq!(found, expected.map(|(file, line)| (file.to_owned(), Some(line))));
    }

    #[test]
    fn comments_strings_and_quoted_names_may_shout() {
        let text = "-- f: READ COMMITTED only.\nselect 'IT''S', \"ID\" /* AND\nSO ON */ from t\n";
        let (_folder, tree) = planted(&[("pg/sql/f.sql", text)]);
        assert!(check(&tree).is_empty(), "{:?}", check(&tree));
    }

    #[test]
    fn the_body_of_a_function_is_code() {
        let text = "-- f: a function.\ncreate function f() as $body$\nBEGIN null; end $body$\n";
        assert_eq!(upper_case_words(text), [(3, "BEGIN".to_owned())]);
    }
}
