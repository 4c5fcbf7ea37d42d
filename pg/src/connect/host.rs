//! One of the places where a server may answer.

use std::fmt;
use std::net::IpAddr;
use std::path::Path;

/// A TCP host or the folder of a Unix socket, with its port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Host {
    pub(crate) name: String,
    pub(crate) port: u16,
}

impl Host {
    pub(crate) fn socket(folder: &str, port: u16) -> Self {
        Self { name: folder.to_owned(), port }
    }

    /// Where a server usually is when nobody names a host: behind a socket of this machine.
    pub(crate) fn usual(port: u16) -> &'static str {
        let folders = ["/var/run/postgresql", "/private/tmp", "/tmp"];
        let answers = |folder: &&&str| Path::new(folder).join(format!(".s.PGSQL.{port}")).exists();
        folders.iter().find(answers).copied().unwrap_or("localhost")
    }

    pub(crate) fn is_socket(&self) -> bool {
        self.name.starts_with('/') || self.name.starts_with('@')
    }

    /// Whether the traffic stays on this machine, so that TLS would protect nothing.
    pub(crate) fn is_local(&self) -> bool {
        self.is_socket()
            || self.name.eq_ignore_ascii_case("localhost")
            || self.name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_socket() {
            write!(f, "the socket {}/.s.PGSQL.{}", self.name, self.port)
        } else if self.name.contains(':') {
            write!(f, "[{}]:{}", self.name, self.port)
        } else {
            write!(f, "{}:{}", self.name, self.port)
        }
    }
}
