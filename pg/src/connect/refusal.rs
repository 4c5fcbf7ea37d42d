//! Why a host did not let us in, in one sentence with its remedy; the same for both drivers.

use std::error::Error as StdError;
use std::io;

use foldlog_core::{Error, ErrorKind};

use super::{Endpoint, Host, TlsMode};
use crate::sqlstate;

pub(super) fn of_sqlx(endpoint: &Endpoint, host: &Host, error: sqlx::Error) -> Error {
    let code = error.as_database_error().and_then(|error| error.code().map(String::from));
    let known = match (&error, code) {
        (_, Some(code)) => answered(endpoint, host, &code),
        (sqlx::Error::Tls(cause), None) => Some(no_tls(endpoint, host, &cause.to_string())),
        (other, None) => broken(endpoint, host, other),
    };
    known.unwrap_or_else(|| sqlstate::database(format!("connecting to {host}"), error))
}

pub(super) fn of_tokio(endpoint: &Endpoint, host: &Host, error: tokio_postgres::Error) -> Error {
    let known = match error.code() {
        Some(code) => answered(endpoint, host, code.code()),
        None => broken(endpoint, host, &error),
    };
    known.unwrap_or_else(|| sqlstate::driver(format!("connecting to {host}"), error))
}

/// The server answered with a code.
fn answered(endpoint: &Endpoint, host: &Host, code: &str) -> Option<Error> {
    let (user, database) = (&endpoint.user, &endpoint.database);
    let message = match code {
        "28P01" if endpoint.password.is_some() => format!(
            "{host} did not accept the password of role {user}: check the password in the URL, \
             PGPASSWORD or the passfile"
        ),
        "28P01" => format!(
            "{host} asks for a password of role {user} and none is set: put it in the URL, \
             PGPASSWORD or the passfile"
        ),
        "3D000" => format!(
            "there is no database {database} at {host}: make it (createdb {database}) or name \
             another one"
        ),
        "28000" => format!(
            "{host} does not let role {user} into database {database}: check that the role exists \
             and may log in, the server's pg_hba.conf, and sslmode (it is {})",
            endpoint.tls.name()
        ),
        _ => return None,
    };
    Some(Error::new(ErrorKind::Setup, message))
}

/// No answer came. The drivers wrap the reason in layers of their own.
fn broken(endpoint: &Endpoint, host: &Host, error: &(dyn StdError + 'static)) -> Option<Error> {
    let mut cause = Some(error);
    while let Some(layer) = cause {
        if layer.is::<rustls::Error>() {
            return Some(no_tls(endpoint, host, &layer.to_string()));
        }
        if let Some(failure) = layer.downcast_ref::<io::Error>() {
            return match failure.get_ref() {
                Some(inner) if inner.is::<rustls::Error>() => {
                    Some(no_tls(endpoint, host, &inner.to_string()))
                }
                _ => Some(unreachable(host, failure)),
            };
        }
        cause = layer.source();
    }
    None
}

fn no_tls(endpoint: &Endpoint, host: &Host, cause: &str) -> Error {
    Error::new(
        ErrorKind::Setup,
        format!(
            "no TLS with {host} ({cause}): sslmode is {}; give the authority's certificate in \
             sslrootcert, or another sslmode if you trust the network",
            endpoint.tls.name()
        ),
    )
}

fn unreachable(host: &Host, cause: &io::Error) -> Error {
    let reason = match cause.kind() {
        io::ErrorKind::ConnectionRefused => "the connection was refused".to_owned(),
        io::ErrorKind::NotFound if host.is_socket() => "there is no such socket".to_owned(),
        _ => cause.to_string(),
    };
    Error::new(
        ErrorKind::Unavailable,
        format!(
            "no PostgreSQL answers at {host} ({reason}): start the server, or check host and port \
             in the URL or the PG* variables"
        ),
    )
}

impl TlsMode {
    fn name(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        }
    }
}
