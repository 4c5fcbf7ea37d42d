//! What is in the tree is finished: no ignored test, no placeholder, no trace of debugging.

use super::Finding;
use super::rust::{Kind, Token};
use super::tree::{File, Tree};

const PLACEHOLDERS: [&str; 3] = ["dbg", "todo", "unimplemented"];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    tree.files().iter().flat_map(check_file).collect()
}

fn check_file(file: &File) -> Vec<Finding> {
    let finding = |token: &Token, reason, remedy| Finding {
        file: file.path.clone(),
        line: Some(token.line),
        reason,
        remedy,
    };
    let tokens = file.tokens();
    let following = tokens.iter().skip(1).map(Some).chain([None]);
    let mut findings = Vec::new();
    for (token, next) in tokens.iter().zip(following) {
        match &token.kind {
            Kind::Attribute(words) if ignores_a_test(words) => findings.push(finding(
                token,
                "an ignored test".to_owned(),
                "mend the test or remove it",
            )),
            Kind::Word(word)
                if PLACEHOLDERS.contains(&word.as_str())
                    && next.is_some_and(|next| next.kind == Kind::Mark('!')) =>
            {
                findings.push(finding(
                    token,
                    format!("`{word}!` is left over"),
                    "finish it or remove it",
                ));
            }
            _ => {}
        }
    }
    findings
}

fn ignores_a_test(words: &[String]) -> bool {
    match words.first().map(String::as_str) {
        Some("ignore") => true,
        Some("cfg_attr") => words.iter().any(|word| word == "ignore"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::planted;

    #[test]
    fn ignored_tests_and_placeholders_are_found() {
        let source = "#[test]\n#[ignore = \"slow\"]\nfn a() {}\n\
            #[test]\n#[cfg_attr(unix, ignore)]\nfn b() { dbg!(1); }\n\
            fn c() { todo!() }\nfn d() { std::unimplemented!(\"later\") }\n";
        let (_folder, tree) = planted(&[("core/src/lib.rs", source)]);
        let lines: Vec<Option<usize>> = check(&tree).iter().map(|finding| finding.line).collect();
        assert_eq!(lines, [2, 5, 6, 7, 8].map(Some));
    }

    #[test]
    fn names_comments_and_texts_are_left_alone() {
        let source =
            "// todo!()\nfn todo(ignore: bool) { f(\"dbg!\", ignore) }\n#[must_use] fn g() {}";
        let (_folder, tree) = planted(&[("core/src/lib.rs", source)]);
        assert!(check(&tree).is_empty());
    }
}
