//! SQL is source code of its own: it stands in `.sql` files, not in string literals.

use super::Finding;
use super::rust::Kind;
use super::tree::{File, Tree};

/// The modules that may assemble SQL. Each is read line by line before it is named here.
const AUDITED: [&str; 2] = [
    // The tables of views have the columns of a user's struct, which no file of ours can know.
    "projections/src/table.rs",
    // And event views have those of a user's events.
    "src/schema/sql.rs",
];

/// What `create`, `alter` and `drop` are followed by in SQL, and seldom in a sentence.
const OBJECTS: [&str; 29] = [
    "collation",
    "constraint",
    "database",
    "domain",
    "event",
    "extension",
    "foreign",
    "function",
    "global",
    "index",
    "local",
    "materialized",
    "operator",
    "or",
    "policy",
    "procedure",
    "publication",
    "role",
    "rule",
    "schema",
    "sequence",
    "subscription",
    "system",
    "table",
    "temp",
    "temporary",
    "trigger",
    "type",
    "unique",
];
const MORE_OBJECTS: [&str; 6] = ["aggregate", "default", "server", "unlogged", "user", "view"];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    tree.files().iter().filter(|file| is_ruled(&file.path)).flat_map(check_file).collect()
}

/// Tests, examples and tools may write their SQL where they use it.
fn is_ruled(path: &str) -> bool {
    let mut folders: Vec<&str> = path.split('/').collect();
    let name = folders.pop().unwrap_or_default();
    let own = !matches!(folders.first(), Some(&("examples" | "tools")));
    let code = !folders.iter().any(|&folder| matches!(folder, "tests" | "benches" | "examples"));
    own && code && name != "tests.rs" && !AUDITED.contains(&path)
}

fn check_file(file: &File) -> Vec<Finding> {
    file.tokens()
        .iter()
        .filter(|token| !token.in_test)
        .filter_map(|token| match &token.kind {
            Kind::Text(text) if is_sql(text) => Some(Finding {
                file: file.path.clone(),
                line: Some(token.line),
                reason: "SQL in a string literal".to_owned(),
                remedy: "move it to a file in the crate's sql folder",
            }),
            _ => None,
        })
        .collect()
}

/// Whether a literal begins as a statement does. Case does not matter, nor how it is broken into
/// lines; the second word tells a statement from a sentence such as "create the table first".
fn is_sql(literal: &str) -> bool {
    let text = literal.replace("\\n", " ").replace("\\t", " ").replace("\\\n", " ");
    let text = text.to_lowercase();
    let mut words = text.split_whitespace();
    let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    match first {
        "select" => !second.is_empty(),
        "insert" => second == "into",
        "delete" => second == "from",
        "update" => second.contains('.') || words.any(|word| word == "set"),
        "with" => second == "recursive" || is_common_table(words),
        "create" | "alter" | "drop" => {
            let object = second.trim_end_matches(';');
            OBJECTS.contains(&object) || MORE_OBJECTS.contains(&object)
        }
        _ => false,
    }
}

/// `… as (…)` or `… as [not] materialized (…)`, unlike the "as" of a sentence.
fn is_common_table<'a>(mut words: impl Iterator<Item = &'a str>) -> bool {
    words.any(|word| word == "as")
        && words
            .next()
            .is_some_and(|word| word.starts_with('(') || matches!(word, "materialized" | "not"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::planted;

    #[test]
    fn statements_in_literals_are_found_with_their_line() {
        let source = "const A: &str = \"select 1\";\n\
            fn f() { q(\"\\n  INSERT INTO t values (1)\"); q(r#\"\n with x as not materialized (select 1) select 2\"#) }\n\
            fn g() { format!(\"update {} set a = 1\", t); q(\"delete\\\n from t\"); }\n\
            fn h() { q(\"create or replace function f()\"); q(\"alter table t add b int\"); q(\"drop table t\") }\n";
        let (_folder, tree) = planted(&[("pg/src/a.rs", source)]);
        let lines: Vec<Option<usize>> = check(&tree).iter().map(|finding| finding.line).collect();
        assert_eq!(lines, [1, 2, 2, 4, 4, 6, 6, 6].map(Some));
    }

    #[test]
    fn sentences_are_no_statements() {
        for sentence in [
            "selected",
            "with a lock held",
            "with `skip` the field is not written as one column",
            "create the table first",
            "update foldlog to 0.2",
            "drop it",
            "insert a coin",
            "",
        ] {
            assert!(!is_sql(sentence), "{sentence}");
        }
    }

    #[test]
    fn tests_examples_tools_and_the_audited_modules_are_free() {
        let source = "const A: &str = \"select 1\";";
        let in_tests = "#[cfg(test)]\nmod tests { const A: &str = \"select 1\"; }";
        let (_folder, tree) = planted(&[
            ("pg/tests/settled.rs", source),
            ("pg/src/window/tests.rs", source),
            ("examples/bank.rs", source),
            ("tools/testkit/src/lib.rs", source),
            ("projections/src/table.rs", source),
            ("src/schema/sql.rs", source),
            ("pg/src/lib.rs", in_tests),
        ]);
        assert!(check(&tree).is_empty());
    }
}
