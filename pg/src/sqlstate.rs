//! From a driver's error to ours: by SQLSTATE, never by the text of a message.

use std::error::Error as StdError;
use std::fmt::{self, Display};

use foldlog_core::{Error, ErrorKind};
use sqlx::postgres::{PgDatabaseError, PgSeverity};
use tokio_postgres::error::Severity;

/// An error of sqlx as an [`Error`], where `what` names the act that failed ("the append").
///
/// The kind follows from the SQLSTATE. Nothing of the data is kept: the driver's own error, whose
/// detail may hold whole rows, is dropped; its code, its constraint and, where it can't quote a
/// value, its message remain.
#[must_use]
#[expect(clippy::needless_pass_by_value, reason = "so that it fits `map_err`")]
pub fn database(what: impl Display, error: sqlx::Error) -> Error {
    use sqlx::Error as E;
    let (kind, reason) = match &error {
        E::Database(cause) => {
            let code = cause.code().unwrap_or_default();
            let panicked = cause
                .try_downcast_ref::<PgDatabaseError>()
                .is_some_and(|cause| cause.severity() == PgSeverity::Panic);
            return answered(&what, &code, panicked, cause.message(), cause.constraint());
        }
        E::Io(cause) => (ErrorKind::Unavailable, format!("the connection failed ({cause})")),
        E::PoolTimedOut => {
            (ErrorKind::Unavailable, "no connection of the pool became free in time".to_owned())
        }
        E::PoolClosed => (ErrorKind::Stopped, "the pool is closed".to_owned()),
        E::WorkerCrashed | E::Protocol(_) => {
            (ErrorKind::Unavailable, "the connection broke in the middle of a message".to_owned())
        }
        E::Tls(cause) => (ErrorKind::Setup, format!("TLS failed ({cause}); see sslmode")),
        E::Configuration(_) => (ErrorKind::Setup, "the driver refused the settings".to_owned()),
        E::ColumnNotFound(column) => {
            (ErrorKind::Internal, format!("the answer has no column {column}"))
        }
        E::ColumnDecode { index, .. } => {
            (ErrorKind::Internal, format!("column {index} of the answer has another type"))
        }
        E::RowNotFound => (ErrorKind::Internal, "the answer has no row".to_owned()),
        _ => (ErrorKind::Internal, "the driver failed".to_owned()),
    };
    Error::new(kind, format!("{what}: {reason}"))
}

/// The same for an error of tokio-postgres.
#[must_use]
#[expect(clippy::needless_pass_by_value, reason = "so that it fits `map_err`")]
pub fn driver(what: impl Display, error: tokio_postgres::Error) -> Error {
    if let Some(cause) = error.as_db_error() {
        let panicked = cause.parsed_severity() == Some(Severity::Panic);
        let code = cause.code().code();
        return answered(&what, code, panicked, cause.message(), cause.constraint());
    }
    let cause = error.source().map(ToString::to_string).unwrap_or_default();
    Error::new(
        ErrorKind::Unavailable,
        if cause.is_empty() {
            format!("{what}: the connection failed")
        } else {
            format!("{what}: the connection failed ({cause})")
        },
    )
}

/// The SQLSTATE with which the server refused, if that is what went wrong.
#[must_use]
pub fn sqlstate(error: &Error) -> Option<&str> {
    let answer = error.source()?.downcast_ref::<Answer>()?;
    Some(&answer.code)
}

/// The constraint that was violated, if the server named one.
#[must_use]
pub fn constraint(error: &Error) -> Option<&str> {
    error.source()?.downcast_ref::<Answer>()?.constraint.as_deref()
}

fn answered(
    what: &dyn Display,
    code: &str,
    panicked: bool,
    message: &str,
    constraint: Option<&str>,
) -> Error {
    let (kind, remedy) = if panicked {
        // The whole server broke off, perhaps while it flushed a commit: the code says why, and
        // nothing says whether the commit will be there after the recovery.
        (ErrorKind::Unavailable, "the server broke off and recovers; see its log")
    } else {
        reaction(code)
    };
    let mut text = format!("{what}: ");
    match constraint {
        Some(constraint) => text.push_str(&format!("constraint {constraint} was violated")),
        None if quotes_no_value(code) && !message.is_empty() => text.push_str(message),
        None => text.push_str("PostgreSQL refused it"),
    }
    if !remedy.is_empty() {
        text.push_str("; ");
        text.push_str(remedy);
    }
    let constraint = constraint.map(ToOwned::to_owned);
    Error::new(kind, text).with_source(Answer { code: code.to_owned(), constraint })
}

/// How to react to a code, and what to tell the operator.
fn reaction(code: &str) -> (ErrorKind, &'static str) {
    use ErrorKind as K;
    match code {
        "40001" | "40P01" => (K::Retry, ""),
        "55P03" => (K::Busy, ""),
        "57014" | "57P01" | "57P02" | "57P03" | "57P05" | "53300" => (K::Unavailable, ""),
        "53200" => (
            K::Unavailable,
            "if it is the table of locks: fewer appends in one transaction, or a higher \
             max_locks_per_transaction",
        ),
        "28P01" => (K::Setup, "check the password (PGPASSWORD, the URL or the passfile)"),
        "28000" => (K::Setup, "check the role, and the server's pg_hba.conf"),
        "3D000" => (K::Setup, "create the database, or name another one"),
        "42501" => (K::Setup, "grant the privilege, or connect as the schema's owner"),
        "25006" => (K::Setup, "connect to a primary that accepts writes"),
        "3F000" | "42883" | "42P01" => {
            (K::Setup, "run the migrations: this database lacks them, or has older ones")
        }
        "FL001" => (K::Setup, "run it at isolation level read committed"),
        "FL002" => (K::Setup, "connect to the primary, not to a standby"),
        "FL003" => {
            (K::Foreign, "the log was reset or restored; see `store recover` before going on")
        }
        "FL004" => (K::Internal, "keep the server's log and report it"),
        "FL005" | "FL006" | "FL020" => (K::Invalid, ""),
        "FL021" => (K::Truncated, "begin anew, from what is kept"),
        // Whoever appends forgets the types it knew, and makes them again; or touches the streams.
        "FL007" | "FL008" => (K::Retry, ""),
        // No connection, no resources, trouble outside of PostgreSQL: all of it may pass.
        _ if ["08", "53", "58"].iter().any(|class| code.starts_with(class)) => (K::Unavailable, ""),
        _ => (K::Internal, ""),
    }
}

/// Data exceptions and other people's RAISE may quote the row; these classes speak of structure.
fn quotes_no_value(code: &str) -> bool {
    ["08", "25", "26", "28", "3D", "3F", "40", "42", "53", "54", "55", "57", "58", "FL", "XX"]
        .iter()
        .any(|class| code.starts_with(class))
}

/// The cause that is kept: the SQLSTATE, for those who want to branch on it.
struct Answer {
    code: String,
    constraint: Option<String>,
}

impl Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SQLSTATE {}", self.code)
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

impl StdError for Answer {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_broke_off_leaves_open_whether_it_was_done() {
        let error = |panicked| answered(&"append", "42501", panicked, "could not fsync file", None);
        assert_eq!(error(false).kind(), ErrorKind::Setup);
        assert_eq!(error(true).kind(), ErrorKind::Unavailable);
        assert_eq!(sqlstate(&error(true)), Some("42501"), "it can still be branched on");
    }
}
