//! Addresses of databases: URLs, `key=value` pairs, variables, the passfile.

use std::io::Write as _;

use foldlog_core::ErrorKind;
use foldlog_pg::{Endpoint, Variables};

use crate::input::{MARK, parted, text};
use crate::judge::refused;

/// A text that stands before a password, a line end, and one that stands behind it.
pub(super) fn check(data: &[u8]) {
    let text = text(data);
    let none = Variables::none();
    judged(&Endpoint::parse(&text, &none), "");
    let (before, behind) = parted(&text);
    // A password within a URL, spoilt by what nobody encoded, and in pairs.
    let spoilt: String = before.chars().filter(|&c| !c.is_whitespace()).collect();
    for address in [
        format!("postgres://ada:{MARK}{spoilt}@db/{behind}"),
        format!("postgres://ada:{spoilt}{MARK}@db:5432/shop?{behind}"),
        format!("postgres://ada:{spoilt}{MARK}{spoilt}@db"),
        format!("host=db password='{MARK}' {text}"),
        format!("{} password={MARK}", before.replace(['\'', '\\', ':'], "")),
    ] {
        judged(&Endpoint::parse(&address, &none), &address);
    }
    let pairs = [("PGPASSWORD", MARK), ("PGHOST", before), ("PGPORT", behind), ("PGUSER", before)];
    judged(&Endpoint::from_variables(&pairs.into_iter().collect()), "");
    passfile(data);
}

fn judged(read: &Result<Endpoint, foldlog_core::Error>, address: &str) {
    match read {
        Ok(endpoint) => {
            // What was understood as a parameter is shown as one: who put a ? and a = into a password
            // without encoding them has said so.
            let shown = format!("{endpoint} {endpoint:?}");
            let said = address.split(MARK).next().is_some_and(|before| before.contains('='));
            assert!(said || !shown.contains(MARK), "{address}: {shown}");
            assert_eq!(endpoint.clone().with_database("other").database(), "other");
        }
        Err(error) => {
            refused(error, ErrorKind::Setup, "");
            assert!(!format!("{error:?}").contains(MARK), "{address}: {error:?}");
        }
    }
}

/// Any passfile at all: it helps, or it does not, and nobody sees it.
fn passfile(data: &[u8]) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(data).unwrap();
    let path = file.path().to_str().unwrap().to_owned();
    let variables = [("PGPASSFILE", path)].into_iter().collect();
    let endpoint = Endpoint::parse("postgres://ada@db:5432/shop", &variables).unwrap();
    assert_eq!(endpoint.to_string(), "db:5432, database shop, role ada");
}
