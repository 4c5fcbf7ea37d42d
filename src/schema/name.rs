//! Names of views and columns: what is easy to type in psql, never twice, and in 63 bytes.

use std::collections::HashSet;

use uuid::Uuid;

/// PostgreSQL cuts longer names off, and two could become one.
const BYTES_MAX: usize = 63;

/// A name in lower case, its words parted by `_`, which also stands for whatever is no letter or digit.
pub(super) fn snake(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut snake = String::with_capacity(name.len() + 4);
    for (at, &letter) in letters.iter().enumerate() {
        if !letter.is_alphanumeric() {
            if !snake.ends_with('_') {
                snake.push('_');
            }
            continue;
        }
        let before = at.checked_sub(1).and_then(|before| letters.get(before));
        let after = letters.get(at + 1);
        // A word begins: `ownerName`, and the last capital of `HTTPRequest`.
        let begins = letter.is_uppercase()
            && before.is_some_and(|before| {
                before.is_lowercase()
                    || before.is_numeric()
                    || before.is_uppercase() && after.is_some_and(|after| after.is_lowercase())
            });
        if begins && !snake.ends_with('_') {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    match snake.trim_end_matches('_') {
        "" => "_".to_owned(),
        trimmed => trimmed.to_owned(),
    }
}

/// Names that were given out.
#[derive(Clone, Debug, Default)]
pub(super) struct Names(HashSet<String>);

impl Names {
    /// A name like `wanted` that was not given out yet. Which one depends on `of`, the whole name of
    /// the thing, and on what came before: things are only ever added behind, so that it stays.
    pub(super) fn give(&mut self, wanted: &str, of: &str) -> String {
        let mut name = wanted.to_owned();
        if name.len() > BYTES_MAX {
            name = marked(wanted, of);
        }
        let mut again = of.to_owned();
        while !self.0.insert(name.clone()) {
            name = marked(wanted, &again);
            again.push('\'');
        }
        name
    }

    pub(super) fn is_given(&self, name: &str) -> bool {
        self.0.contains(name)
    }
}

/// The beginning of a name, and eight digits that tell it from others that begin alike.
fn marked(wanted: &str, of: &str) -> String {
    let mark = Uuid::new_v5(&Uuid::NAMESPACE_OID, of.as_bytes()).simple().to_string();
    let mark = mark.get(..8).unwrap_or_default();
    let mut end = wanted.len().min(BYTES_MAX - 1 - mark.len());
    while !wanted.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}_{mark}", wanted.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parted_into_words() {
        for (name, expected) in [
            ("Deposited", "deposited"),
            ("ownerName", "owner_name"),
            ("owner_name", "owner_name"),
            ("HTTPRequestSent", "http_request_sent"),
            ("Line2Added", "line2_added"),
            ("account.opened-v2", "account_opened_v2"),
            ("a\"b'c\\d; ", "a_b_c_d"),
            ("_id", "_id"),
            ("$", "_"),
            ("ÄndertDiePlz", "ändert_die_plz"),
            ("", "_"),
        ] {
            assert_eq!(snake(name), expected, "{name:?}");
        }
    }

    #[test]
    fn a_name_is_never_given_twice_and_fits() {
        let mut names = Names::default();
        assert_eq!(names.give("a_b", "one"), "a_b");
        let second = names.give("a_b", "two");
        assert!(second.starts_with("a_b_") && second.len() == 12, "{second}");
        assert_ne!(names.give("a_b", "two"), second);
        let long = "ö".repeat(40);
        let (first, second) = (names.give(&long, "three"), names.give(&long, "four"));
        assert_ne!(first, second);
        assert!(first.len() <= 63 && second.len() <= 63, "{first} {second}");
        // The same again, for another list.
        assert_eq!(Names::default().give(&long, "three"), first);
    }
}
