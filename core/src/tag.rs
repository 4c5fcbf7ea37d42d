//! Tags: what an event says of things beside its stream.

use std::fmt;
use std::sync::Arc;

use crate::error::{Error, ErrorKind};
use crate::key::Key;
use crate::stream::NAME_BYTES_MAX;

/// A tag of an event: the name of a kind of thing, and which one, as `course:c1`. Boundaries are drawn
/// by tags.
///
/// Made of a [`TagKey`], or by name. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(Arc<str>);

impl Tag {
    /// The tag of a key.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] as for [`Tag::new`].
    pub fn of<K: TagKey>(key: &K) -> Result<Self, Error> {
        Self::new(K::TAG, &key.to_key())
    }

    /// A tag by name and value.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] for a name that is not 1 or more lower-case letters, digits and `_`; for
    /// a value that is empty or holds a control character; for more than 255 bytes in all.
    pub fn new(name: &str, value: &str) -> Result<Self, Error> {
        let invalid = |problem: &str| {
            Error::new(ErrorKind::Invalid, format!("a tag named {name:?} can't be: {problem}"))
        };
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if name.is_empty() || !name.chars().all(plain) {
            return Err(invalid("its name must be lower-case letters, digits and `_`"));
        }
        if value.is_empty() {
            return Err(invalid("its value is empty"));
        }
        if value.chars().any(char::is_control) {
            return Err(invalid("its value holds a control character"));
        }
        if name.len() + 1 + value.len() > NAME_BYTES_MAX {
            return Err(invalid("it is over 255 bytes"));
        }
        Ok(Self(format!("{name}:{value}").into()))
    }

    /// The tag as it is stored, `name:value`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tag({self})")
    }
}

/// A key by which events may be tagged. Derive it: `#[derive(Key)] #[key(tag = "course")]`.
///
/// The type gives the tag its name, so that who writes a tag and who asks for it can't spell it
/// differently.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not name a tag",
    label = "events can't be tagged by it",
    note = "give the key a tag: `#[derive(Key)] #[key(tag = \"…\")] struct {Self}(…)`; a plain text or \
            number belongs into such a newtype"
)]
pub trait TagKey: Key {
    /// The name of the tag: lower-case letters, digits and `_`. It is stored for ever.
    const TAG: &'static str;
}

/// A field that tags its event: a [`TagKey`], or an option or a vector of them.
#[diagnostic::on_unimplemented(
    message = "a field of type `{Self}` can't tag its event",
    label = "not a tag, nor an option or a vector of tags",
    note = "give the type a tag: `#[derive(Key)] #[key(tag = \"…\")]`"
)]
pub trait TagField {
    /// Adds the tags of the field.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] for a value that can't be a tag.
    fn put(&self, tags: &mut Vec<Tag>) -> Result<(), Error>;
}

#[diagnostic::do_not_recommend]
impl<K: TagKey> TagField for K {
    fn put(&self, tags: &mut Vec<Tag>) -> Result<(), Error> {
        let tag = Tag::of(self)?;
        if !tags.contains(&tag) {
            tags.push(tag);
        }
        Ok(())
    }
}

impl<K: TagKey> TagField for Option<K> {
    fn put(&self, tags: &mut Vec<Tag>) -> Result<(), Error> {
        self.iter().try_for_each(|key| key.put(tags))
    }
}

impl<K: TagKey> TagField for Vec<K> {
    fn put(&self, tags: &mut Vec<Tag>) -> Result<(), Error> {
        self.iter().try_for_each(|key| key.put(tags))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_that_could_not_be_told_apart_is_refused() {
        assert_eq!(Tag::new("email", "a:b@c").unwrap().as_str(), "email:a:b@c");
        for (name, value) in [
            ("", "x"),
            ("Email", "x"),
            ("e:mail", "x"),
            ("email", ""),
            ("email", "a\u{1f}b"),
            ("email", "a\0"),
            ("email", &"x".repeat(250)),
        ] {
            let error = Tag::new(name, value).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{name} {value}");
        }
        assert!(Tag::new("email", &"x".repeat(249)).is_ok());
    }
}
