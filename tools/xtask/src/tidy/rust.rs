//! A Rust file as a flat row of tokens: enough for the rules, and never fooled by a comment.

use proc_macro2::token_stream::IntoIter;
use proc_macro2::{Delimiter, Group, Spacing, TokenStream, TokenTree};

/// A token, where it stands, and whether only tests see it.
#[derive(Debug)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) line: usize,
    pub(super) in_test: bool,
}

/// What the rules tell apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A keyword or a name.
    Word(String),
    /// A string literal, between its quotes, as it is written.
    Text(String),
    /// The words of an attribute: `#[cfg(test)]` is `cfg`, `test`. Documentation is left out.
    Attribute(Vec<String>),
    /// A mark, or the opening mark of a group.
    Mark(char),
}

/// The tokens of a file, or nothing when it isn't Rust.
pub(super) fn tokens(text: &str) -> Option<Vec<Token>> {
    let stream: TokenStream = text.parse().ok()?;
    let mut row = Vec::new();
    flatten(stream, false, &mut row);
    Some(row)
}

fn flatten(stream: TokenStream, in_test: bool, row: &mut Vec<Token>) {
    let mut rest = stream.into_iter();
    // An attribute of tests reaches to the end of its item: a body in braces, or a semicolon.
    let mut item_in_test = in_test;
    while let Some(tree) = rest.next() {
        let line = tree.span().start().line;
        let mut push = |kind| row.push(Token { kind, line, in_test: item_in_test });
        match tree {
            TokenTree::Punct(mark) if mark.as_char() == '#' => match attribute(&mut rest) {
                Some(words) => {
                    let for_tests = is_for_tests(&words);
                    push(Kind::Attribute(words));
                    item_in_test |= for_tests;
                }
                None => push(Kind::Mark('#')),
            },
            TokenTree::Punct(mark) => {
                push(Kind::Mark(mark.as_char()));
                if mark.as_char() == ';' && mark.spacing() == Spacing::Alone {
                    item_in_test = in_test;
                }
            }
            TokenTree::Ident(word) => push(Kind::Word(word.to_string())),
            TokenTree::Literal(literal) => {
                if let Some(text) = string_content(&literal.to_string()) {
                    push(Kind::Text(text.to_owned()));
                }
            }
            TokenTree::Group(group) => {
                push(Kind::Mark(opening(&group)));
                flatten(group.stream(), item_in_test, row);
                if group.delimiter() == Delimiter::Brace {
                    item_in_test = in_test;
                }
            }
        }
    }
}

/// Takes `[…]` or `![…]` after a `#`; leaves everything where it is when there is none.
fn attribute(rest: &mut IntoIter) -> Option<Vec<String>> {
    let mut ahead = rest.clone();
    let mut next = ahead.next()?;
    if matches!(&next, TokenTree::Punct(mark) if mark.as_char() == '!') {
        next = ahead.next()?;
    }
    let TokenTree::Group(group) = next else { return None };
    if group.delimiter() != Delimiter::Bracket {
        return None;
    }
    *rest = ahead;
    let mut words = Vec::new();
    collect_words(group.stream(), &mut words);
    Some(words)
}

fn collect_words(stream: TokenStream, words: &mut Vec<String>) {
    for tree in stream {
        match tree {
            TokenTree::Ident(word) => words.push(word.to_string()),
            TokenTree::Group(group) => collect_words(group.stream(), words),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

/// `#[test]`, `#[tokio::test]`, `#[cfg(test)]`, but not `#[cfg(not(test))]`.
fn is_for_tests(words: &[String]) -> bool {
    let has = |word: &str| words.iter().any(|found| found == word);
    has("test") && !has("not")
}

fn opening(group: &Group) -> char {
    match group.delimiter() {
        Delimiter::Parenthesis => '(',
        Delimiter::Brace => '{',
        Delimiter::Bracket | Delimiter::None => '[',
    }
}

/// What stands between the quotes of a string literal, raw or not; nothing for other literals.
fn string_content(literal: &str) -> Option<&str> {
    let start = literal.trim_start_matches(['b', 'c', 'r']).trim_start_matches('#');
    start.strip_prefix('"')?.trim_end_matches('#').strip_suffix('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(source: &str) -> Vec<(String, usize, bool)> {
        let row = tokens(source).expect("this is Rust");
        row.into_iter()
            .filter_map(|token| match token.kind {
                Kind::Text(text) => Some((text, token.line, token.in_test)),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn string_literals_are_found_in_every_form_and_comments_are_not() {
        let source = "/// \"doc\"\n// \"comment\"\nconst A: &str = \"a\";\nconst B: &str = r#\"b\"#;\n\
                      fn f() { g!(\"c {}\", 'x', b'y', 1, b\"d\") }";
        let found: Vec<String> = texts(source).into_iter().map(|(text, ..)| text).collect();
        assert_eq!(found, ["a", "b", "c {}", "d"]);
    }

    #[test]
    fn what_only_tests_see_is_marked_and_what_follows_is_not() {
        let source = "#[cfg(test)]\nmod tests { const A: &str = \"a\"; }\nconst B: &str = \"b\";\n\
                      #[cfg(test)] use c::{d};\n#[tokio::test] async fn e() { \"e\"; }\n\
                      #[cfg(not(test))] fn f() { \"f\"; }";
        let found: Vec<(String, bool)> =
            texts(source).into_iter().map(|(text, _, in_test)| (text, in_test)).collect();
        let expected = [("a", true), ("b", false), ("e", true), ("f", false)];
        assert_eq!(found, expected.map(|(text, in_test)| (text.to_owned(), in_test)));
    }

    #[test]
    fn lines_are_counted_from_one() {
        assert_eq!(texts("\n\nconst A: &str = \"a\";"), [("a".to_owned(), 3, false)]);
    }
}
