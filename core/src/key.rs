//! Keys: what names a stream or a row.

use std::borrow::Cow;
use std::fmt::Debug;
use std::hash::Hash;

use uuid::Uuid;

/// Names a stream or a row of a view. Derive it on a newtype.
///
/// # Contract
///
/// `from_key(&k.to_key())` is `Some(k)`, and two keys are equal exactly when their texts are. The
/// text is stored for ever.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a key",
    label = "does not name a stream or a row",
    note = "derive it: `#[derive(Key, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]`"
)]
pub trait Key: Clone + Eq + Hash + Ord + Debug + Send + Sync + 'static {
    /// The key as text.
    fn to_key(&self) -> Cow<'_, str>;
    /// The key of a text; `None` if the text is not one.
    fn from_key(key: &str) -> Option<Self>;
}

impl Key for String {
    fn to_key(&self) -> Cow<'_, str> {
        Cow::Borrowed(self)
    }
    fn from_key(key: &str) -> Option<Self> {
        Some(key.to_owned())
    }
}

impl Key for Uuid {
    fn to_key(&self) -> Cow<'_, str> {
        Cow::Owned(self.to_string())
    }
    fn from_key(key: &str) -> Option<Self> {
        // Only the spelling that `to_key` writes: two texts must never name one key.
        let id = Uuid::try_parse(key).ok()?;
        (id.to_string() == key).then_some(id)
    }
}

macro_rules! integer_keys {
    ($($integer:ty),*) => {$(
        impl Key for $integer {
            fn to_key(&self) -> Cow<'_, str> {
                Cow::Owned(self.to_string())
            }
            fn from_key(key: &str) -> Option<Self> {
                let number: Self = key.parse().ok()?;
                (number.to_string() == key).then_some(number)
            }
        }
    )*};
}
integer_keys!(i16, i32, i64, u16, u32, u64);

macro_rules! tuple_keys {
    ($($part:ident $index:tt),+) => {
        impl<$($part: Key),+> Key for ($($part,)+) {
            fn to_key(&self) -> Cow<'_, str> {
                Cow::Owned(join(&[$(self.$index.to_key()),+]))
            }
            fn from_key(key: &str) -> Option<Self> {
                let parts = split(key)?;
                let mut parts = parts.into_iter();
                let key = ($($part::from_key(&parts.next()?)?,)+);
                parts.next().is_none().then_some(key)
            }
        }
    };
}
tuple_keys!(A 0, B 1);
tuple_keys!(A 0, B 1, C 2);
tuple_keys!(A 0, B 1, C 2, D 3);

/// Joins the parts of a key by `/`; a `/` or `%` within a part is escaped as in a URL.
#[must_use]
pub fn join(parts: &[Cow<'_, str>]) -> String {
    let mut text = String::new();
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            text.push('/');
        }
        for c in part.chars() {
            match c {
                '/' => text.push_str("%2F"),
                '%' => text.push_str("%25"),
                c => text.push(c),
            }
        }
    }
    text
}

/// Undoes [`join`]. `None` for a text that `join` does not write.
#[must_use]
pub fn split(key: &str) -> Option<Vec<String>> {
    key.split('/')
        .map(|part| {
            let mut text = String::with_capacity(part.len());
            let mut pieces = part.split('%');
            text.push_str(pieces.next()?);
            for piece in pieces {
                let (escape, rest) = piece.split_at_checked(2)?;
                text.push(match escape {
                    "2F" => '/',
                    "25" => '%',
                    _ => return None,
                });
                text.push_str(rest);
            }
            Some(text)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_several_parts_comes_back_whole() {
        for parts in [("a/b", "c%2F"), ("", ""), ("%", "/"), ("é", "x y")] {
            let key = (parts.0.to_owned(), parts.1.to_owned());
            let text = key.to_key().into_owned();
            assert_eq!(<(String, String)>::from_key(&text), Some(key), "{text}");
        }
    }

    #[test]
    fn two_texts_never_name_one_key() {
        assert_eq!(u32::from_key("007"), None);
        assert_eq!(u32::from_key("+7"), None);
        assert_eq!(Uuid::from_key("A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"), None);
        assert_eq!(<(String, String)>::from_key("a"), None);
        assert_eq!(<(String, String)>::from_key("a/b/c"), None);
        assert_eq!(<(String, String)>::from_key("a%2f/b"), None);
    }
}
