//! The isolation level of the store's own transactions.

use foldlog_core::Error;
use foldlog_pg::sqlstate;
use sqlx::{Connection, PgConnection, Postgres, Transaction};

const ANOTHER_LEVEL: &str = "FL001";

/// A transaction at read committed. A call by itself is at the database's default, which is nearly
/// always the same and costs no round trip: where it is not, the server says so.
pub(crate) async fn committed(
    conn: &mut PgConnection,
) -> Result<Transaction<'_, Postgres>, sqlx::Error> {
    conn.begin_with(include_str!("../sql/committed_begin.sql")).await
}

/// Whether something was refused because it can't be done at this level. Nothing was done.
pub(crate) fn is_at_another(error: &Error) -> bool {
    sqlstate(error) == Some(ANOTHER_LEVEL)
}
