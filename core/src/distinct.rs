//! Comparing categories while a program compiles.

/// Whether no text is there twice. `const`, so that a union of events over one category twice does
/// not compile.
#[must_use]
pub const fn distinct(texts: &[&str]) -> bool {
    match texts {
        [] => true,
        [first, rest @ ..] => !holds(rest, first.as_bytes()) && distinct(rest),
    }
}

const fn holds(texts: &[&str], text: &[u8]) -> bool {
    match texts {
        [] => false,
        [first, rest @ ..] => same(first.as_bytes(), text) || holds(rest, text),
    }
}

const fn same(left: &[u8], right: &[u8]) -> bool {
    match (left, right) {
        ([], []) => true,
        ([l, left @ ..], [r, right @ ..]) => *l == *r && same(left, right),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_there_twice_is_found() {
        assert!(distinct(&[]));
        assert!(distinct(&["a", "ab", "b", ""]));
        assert!(!distinct(&["a", "b", "a"]));
        assert!(!distinct(&["", "a", ""]));
    }
}
