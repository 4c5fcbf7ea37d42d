//! Names of streams and tenants.

use foldlog_core::{ErrorKind, SLICES, StreamName, Tenant};

use crate::input::{parted, text};
use crate::judge::{is_storable, refused};

/// A tenant, a line end, and the name of a stream.
pub(super) fn check(data: &[u8]) {
    let text = text(data);
    let (tenant, name) = parted(&text);
    let tenant = match Tenant::new(tenant) {
        Ok(read) => {
            assert!(is_storable(tenant));
            assert_eq!(read.as_str(), tenant);
            read
        }
        Err(error) => {
            assert!(!is_storable(tenant));
            refused(&error, ErrorKind::Invalid, "tenant");
            Tenant::default()
        }
    };
    let parts =
        name.split_once('-').filter(|(category, key)| !category.is_empty() && !key.is_empty());
    match StreamName::parse(&tenant, name) {
        Ok(read) => {
            assert!(is_storable(name));
            assert_eq!(parts, Some((read.category(), read.key())));
            assert_eq!((read.as_str(), read.tenant()), (name, &tenant));
            assert!(read.slice() < SLICES);
            assert_eq!(StreamName::new(&tenant, read.category(), read.key()).unwrap(), read);
        }
        Err(error) => {
            assert!(!is_storable(name) || parts.is_none(), "{error}");
            refused(&error, ErrorKind::Invalid, "stream");
        }
    }
    // The whole as a key, and its first line as a category.
    let (category, key) = parted(name);
    let fits = !category.is_empty() && !category.contains('-') && !key.is_empty();
    match StreamName::new(&tenant, category, key) {
        Ok(read) => {
            assert!(fits && is_storable(read.as_str()));
            assert_eq!((read.category(), read.key()), (category, key));
        }
        Err(error) => {
            assert!(!fits || !is_storable(&format!("{category}-{key}")), "{error}");
            assert_eq!(error.kind(), ErrorKind::Invalid);
        }
    }
}
