//! Streams: their names, tenants and expected versions.

use std::fmt;
use std::sync::Arc;

use crate::error::{Error, ErrorKind};
use crate::event::Event;
use crate::key::Key;
use crate::slice::slice_of;

/// The longest name of a stream or tenant, in bytes of UTF-8.
pub const NAME_BYTES_MAX: usize = 255;

/// Whose stream it is. The default tenant is the empty text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tenant(Option<Arc<str>>);

impl Tenant {
    /// A tenant by name: at most 255 bytes, without NUL.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] for a name that is too long or holds a NUL.
    pub fn new(name: &str) -> Result<Self, Error> {
        check_text("tenant", name)?;
        Ok(if name.is_empty() { Self::default() } else { Self(Some(name.into())) })
    }

    /// The name; empty for the default tenant.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or("")
    }
}

/// The name of a stream: `category-key`, and the tenant it belongs to.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamName {
    tenant: Tenant,
    name: Arc<str>,
}

impl StreamName {
    /// The stream of an id: the category of the event type `E`, a hyphen, and the key.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] for a key that is empty or holds a NUL, or a name over 255 bytes.
    pub fn of<E: Event>(tenant: &Tenant, id: &E::Id) -> Result<Self, Error> {
        Self::new(tenant, E::CATEGORY, &id.to_key())
    }

    /// The stream `category-key` of a tenant.
    ///
    /// # Errors
    ///
    /// As [`StreamName::of`]; also for a category that is empty or holds a hyphen.
    pub fn new(tenant: &Tenant, category: &str, key: &str) -> Result<Self, Error> {
        if category.is_empty() || category.contains('-') {
            return Err(Error::new(
                ErrorKind::Invalid,
                format!(
                    "{category:?} can't be a category: it must not be empty and must not hold a \
                     hyphen, which parts the category from the key in a stream's name"
                ),
            ));
        }
        Self::parse(tenant, &format!("{category}-{key}"))
    }

    /// A stream by its whole name.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] unless the text reads `category-key`, without NUL, in 255 bytes.
    pub fn parse(tenant: &Tenant, name: &str) -> Result<Self, Error> {
        check_text("stream", name)?;
        match name.split_once('-') {
            Some((category, key)) if !category.is_empty() && !key.is_empty() => {
                Ok(Self { tenant: tenant.clone(), name: name.into() })
            }
            _ => Err(Error::new(
                ErrorKind::Invalid,
                format!("{name:?} can't be a stream: its name must read category-key"),
            )),
        }
    }

    /// The tenant.
    #[must_use]
    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// The whole name, without the tenant.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// What stands before the first hyphen.
    #[must_use]
    pub fn category(&self) -> &str {
        self.name.split_once('-').map_or(&*self.name, |(category, _)| category)
    }

    /// What stands after the first hyphen.
    #[must_use]
    pub fn key(&self) -> &str {
        self.name.split_once('-').map_or("", |(_, key)| key)
    }

    /// The slice the stream falls into, by its name without the tenant.
    #[must_use]
    pub fn slice(&self) -> u16 {
        slice_of(self.name.as_bytes())
    }

    /// The typed id, if this is a stream of `E`'s category and its key is one of `E`'s ids.
    #[must_use]
    pub fn id<E: Event>(&self) -> Option<E::Id> {
        (self.category() == E::CATEGORY).then(|| E::Id::from_key(self.key())).flatten()
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        match self.tenant.as_str() {
            "" => Ok(()),
            tenant => write!(f, " (tenant {tenant})"),
        }
    }
}

impl fmt::Debug for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StreamName({self})")
    }
}

/// What an append demands of the stream before it writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Expected {
    /// Nothing.
    Any,
    /// That it has at least one event.
    Exists,
    /// That it has none.
    NoStream,
    /// That it is at exactly this version. `Exact(0)` says the same as `NoStream`.
    Exact(u64),
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any version"),
            Self::Exists => f.write_str("an existing stream"),
            Self::NoStream | Self::Exact(0) => f.write_str("no stream"),
            Self::Exact(version) => write!(f, "version {version}"),
        }
    }
}

fn check_text(what: &str, text: &str) -> Result<(), Error> {
    if text.len() > NAME_BYTES_MAX {
        return Err(Error::new(
            ErrorKind::Invalid,
            format!(
                "the name of a {what} may have {NAME_BYTES_MAX} bytes, this one has {}: use a \
                 shorter key",
                text.len()
            ),
        ));
    }
    if text.contains('\0') {
        return Err(Error::new(
            ErrorKind::Invalid,
            format!("the name of a {what} holds a NUL character, which PostgreSQL can't store"),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_parted_at_the_first_hyphen() {
        let name = StreamName::new(&Tenant::default(), "order", "a-b").unwrap();
        assert_eq!((name.category(), name.key()), ("order", "a-b"));
        assert_eq!(name.to_string(), "order-a-b");
    }

    #[test]
    fn names_that_could_not_be_stored_or_read_back_are_refused() {
        let tenant = Tenant::default();
        for (category, key) in
            [("", "x"), ("a-b", "x"), ("a", ""), ("a", "x\0"), ("a", &"k".repeat(254))]
        {
            let error = StreamName::new(&tenant, category, key).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{category:?} {key:?}");
        }
        assert!(StreamName::new(&tenant, "a", &"k".repeat(253)).is_ok());
        assert!(Tenant::new("a\0").is_err());
    }
}
