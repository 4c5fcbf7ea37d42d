//! JSON to be compared: fields in any order, numbers exactly as they are written.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::Error as _;
use serde_json::value::RawValue;

/// As deep as serde_json reads a value; beyond, the stack would end.
const DEPTH_MAX: usize = 129;

/// A JSON text taken apart.
///
/// Not `serde_json::Value`: that reads numbers into 64 bits, where two different ones may meet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tree {
    /// A number, a string, a truth value or null, as it is written.
    Leaf(String),
    /// An array.
    List(Vec<Tree>),
    /// An object.
    Fields(BTreeMap<String, Tree>),
}

/// The first place where two trees part, and what stands there in each.
#[derive(Debug, PartialEq, Eq)]
pub struct Difference {
    /// Where.
    pub path: String,
    /// What the first one has there.
    pub left: String,
    /// What the other one has there.
    pub right: String,
}

impl Tree {
    /// Takes a text apart.
    ///
    /// # Errors
    ///
    /// If it is no JSON, or nested too deeply to be an event.
    pub fn read(json: &str) -> Result<Self, serde_json::Error> {
        let json: &RawValue = serde_json::from_str(json)?;
        Self::of(json.get(), DEPTH_MAX)
    }

    fn of(json: &str, depth: usize) -> Result<Self, serde_json::Error> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(serde_json::Error::custom("nested too deeply"));
        };
        Ok(match json.as_bytes().first() {
            Some(b'{') => {
                let fields: BTreeMap<String, &RawValue> = serde_json::from_str(json)?;
                let read =
                    |(name, value): (String, &RawValue)| Ok((name, Self::of(value.get(), depth)?));
                Self::Fields(fields.into_iter().map(read).collect::<Result<_, _>>()?)
            }
            Some(b'[') => {
                let items: Vec<&RawValue> = serde_json::from_str(json)?;
                let items = items.into_iter().map(|item| Self::of(item.get(), depth));
                Self::List(items.collect::<Result<_, _>>()?)
            }
            // A character may be written in several ways, escaped or not.
            Some(b'"') => {
                Self::Leaf(serde_json::to_string(&serde_json::from_str::<String>(json)?)?)
            }
            _ => Self::Leaf(json.to_owned()),
        })
    }

    /// The same with the items of its lists in an order of their own, for lists that come in any.
    pub(crate) fn unordered(self) -> Self {
        match self {
            Self::Leaf(text) => Self::Leaf(text),
            Self::List(items) => {
                let mut items: Vec<_> = items.into_iter().map(Self::unordered).collect();
                items.sort_unstable();
                Self::List(items)
            }
            Self::Fields(fields) => {
                let unordered = |(name, value): (String, Self)| (name, value.unordered());
                Self::Fields(fields.into_iter().map(unordered).collect())
            }
        }
    }

    /// Where this tree and another part first; `None` if they are the same.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Option<Difference> {
        part(Some(self), Some(other), "")
    }
}

fn part(left: Option<&Tree>, right: Option<&Tree>, path: &str) -> Option<Difference> {
    match (left, right) {
        (left, right) if left == right => None,
        (Some(Tree::Fields(left)), Some(Tree::Fields(right))) => {
            let only_right = right.keys().filter(|name| !left.contains_key(*name));
            left.keys()
                .chain(only_right)
                .find_map(|name| part(left.get(name), right.get(name), &format!("{path}.{name}")))
        }
        (Some(Tree::List(left)), Some(Tree::List(right))) => (0..left.len().max(right.len()))
            .find_map(|index| part(left.get(index), right.get(index), &format!("{path}[{index}]"))),
        (left, right) => {
            let text = |tree: Option<&Tree>| tree.map_or("nothing".to_owned(), Tree::to_string);
            let path = if path.is_empty() { "the whole" } else { path };
            Some(Difference { path: path.to_owned(), left: text(left), right: text(right) })
        }
    }
}

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leaf(text) => f.write_str(text),
            Self::List(items) => {
                f.write_str("[")?;
                for (index, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if index > 0 { "," } else { "" })?;
                }
                f.write_str("]")
            }
            Self::Fields(fields) => {
                f.write_str("{")?;
                for (index, (name, value)) in fields.iter().enumerate() {
                    write!(f, "{}{name:?}:{value}", if index > 0 { "," } else { "" })?;
                }
                f.write_str("}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(left: &str, right: &str) -> Option<(String, String, String)> {
        let difference = Tree::read(left).unwrap().difference(&Tree::read(right).unwrap())?;
        Some((difference.path, difference.left, difference.right))
    }

    #[test]
    fn the_order_of_fields_spaces_and_escapes_do_not_matter() {
        let left = r#"{"a": [1, {"x": "é"}], "b": null}"#;
        let right = r#"{"b":null,"a":[1,{"x":"\u00e9"}]}"#;
        assert_eq!(difference(left, right), None);
    }

    #[test]
    fn numbers_that_64_bits_would_confuse_are_told_apart() {
        let (left, right) =
            ("340282366920938463463374607431768211455", "340282366920938463463374607431768211454");
        assert_eq!(difference(left, right).unwrap().0, "the whole");
        assert!(difference("0.0", "-0.0").is_some());
        assert!(difference("1", "1.0").is_some());
    }

    #[test]
    fn what_is_no_json_or_deeper_than_the_stack_is_an_error() {
        for json in ["", "nul", "\"a\" b", "\u{feff}{}", "[1", "\"\\ud800\""] {
            assert!(Tree::read(json).is_err(), "{json}");
        }
        let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(Tree::read(&nested(127)).is_ok());
        assert!(Tree::read(&nested(100_000)).is_err());
    }

    #[test]
    fn the_first_difference_is_named_by_its_path() {
        let three = |path: &str, left: &str, right: &str| {
            Some((path.to_owned(), left.to_owned(), right.to_owned()))
        };
        assert_eq!(
            difference(r#"{"a":[1,{"x":2}]}"#, r#"{"a":[1,{"x":3}]}"#),
            three(".a[1].x", "2", "3")
        );
        assert_eq!(difference(r#"{"a":1}"#, r#"{"b":1}"#), three(".a", "1", "nothing"));
        assert_eq!(difference("[1]", "[1,[2]]"), three("[1]", "nothing", "[2]"));
        assert_eq!(
            difference("{\"a\":[]}", r#"{"a":{"b":"c"}}"#),
            three(".a", "[]", r#"{"b":"c"}"#)
        );
    }
}
