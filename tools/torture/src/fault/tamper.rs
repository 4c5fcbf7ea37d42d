//! Attempts to change what is stored, by those who may read, who may write, and who own it.

use std::str::FromStr as _;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection};
use tokio::time::timeout;

use super::{SHORT, Strike};
use crate::field::{APPLICATION, Field, Missed, filled};
use crate::history::Tamper;

/// Who tries, and what it says first.
const TAMPERERS: [(&str, Option<&str>); 6] = [
    ("torture_reader", None),
    ("torture_reader", Some(include_str!("../../sql/tamper/unguard.sql"))),
    ("torture_writer", None),
    ("torture_writer", Some(include_str!("../../sql/tamper/unguard.sql"))),
    ("postgres", None),
    ("postgres", Some(include_str!("../../sql/tamper/replica.sql"))),
];

/// What is kept for ever, and a column of it.
const TABLES: [(&str, &str); 4] = [
    ("foldlog.event", "payload"),
    ("foldlog.event_tag", "tag"),
    ("foldlog.receipt", "reply"),
    ("foldlog.stream_mark", "reason"),
];

/// The guard says so, there was no bound, or there is no right to.
const REFUSED: [&str; 3] = ["FL020", "FL005", "42501"];
/// Who owns the tables, and may take the guards away: that is not forbidden.
const OWNER: &str = "postgres";

pub(super) async fn strike(field: &Field, strike: &mut Strike<'_>) -> Result<(), Missed> {
    let tried = attempt(field).await?;
    strike.harm(format!("{tried} statements"));
    Ok(())
}

/// Every statement under every role; how many were answered.
///
/// # Errors
///
/// There is no session.
pub(crate) async fn attempt(field: &Field) -> Result<usize, Missed> {
    let mut session = field.session().await?;
    let segments: Vec<String> =
        sqlx::query_scalar(include_str!("../../sql/tamper/segment_find.sql"))
            .fetch_all(&mut session)
            .await?;
    let segments = segments.into_iter().map(|segment| {
        let column = if segment.contains("tag") { "tag" } else { "payload" };
        (segment, column)
    });
    let tables = TABLES.iter().map(|(table, column)| ((*table).to_owned(), *column));
    let tables: Vec<_> = tables.chain(segments).collect();
    let mut tried = 0;
    for (role, first) in TAMPERERS {
        let Ok(mut session) = login(field, role).await else { continue };
        for (table, column) in &tables {
            for statement in statements(role, table, column) {
                tried += usize::from(tamper(field, &mut session, role, first, statement).await);
            }
        }
    }
    if tried == 0 { Err(Missed("nobody could log in".to_owned())) } else { Ok(tried) }
}

fn statements(role: &str, table: &str, column: &str) -> Vec<String> {
    let texts = [("table", table.to_owned()), ("column", column.to_owned())];
    let mut statements = vec![
        filled(include_str!("../../sql/tamper/update.sql"), &texts),
        filled(include_str!("../../sql/tamper/delete.sql"), &texts),
        filled(include_str!("../../sql/tamper/truncate.sql"), &texts),
    ];
    let of_events = table.starts_with("foldlog.event");
    if role != OWNER || of_events {
        statements.push(filled(include_str!("../../sql/tamper/insert.sql"), &texts));
    }
    if role != OWNER {
        statements.push(filled(include_str!("../../sql/tamper/disarm.sql"), &texts));
    }
    statements
}

/// One statement in a transaction that is rolled back; whether it was answered, either way.
async fn tamper(
    field: &Field,
    session: &mut PgConnection,
    role: &str,
    first: Option<&'static str>,
    statement: String,
) -> bool {
    let begun = field.recorder.now();
    let attempt = async {
        let mut tx = session.begin().await?;
        if let Some(first) = first {
            sqlx::raw_sql(first).execute(&mut *tx).await?;
        }
        let sql = AssertSqlSafe(statement.clone());
        let result = sqlx::raw_sql(sql).execute(&mut *tx).await;
        tx.rollback().await?;
        Ok::<_, sqlx::Error>(result)
    };
    let Ok(Ok(result)) = timeout(SHORT, attempt).await else { return false };
    let done = match result {
        Ok(_) => true,
        Err(error) if is_refusal(&error) => false,
        // A lock that was not to be had, or a fault.
        Err(_) => return false,
    };
    let (role, ended) = (role.to_owned(), field.recorder.now());
    let tamper = Tamper { role, statement, begun, ended, done };
    field.recorder.write().tampers.push(tamper);
    true
}

fn is_refusal(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| REFUSED.contains(&&*code))
}

async fn login(field: &Field, role: &str) -> Result<PgConnection, sqlx::Error> {
    // To truncate locks the whole table first: that must not hold up everybody for long.
    let own = [("lock_timeout", "100ms"), ("default_transaction_isolation", "read committed")];
    let options = PgConnectOptions::from_str(&field.admin)?
        .username(role)
        .database(&field.database)
        .application_name(APPLICATION)
        .options(own);
    match timeout(SHORT, options.connect()).await {
        Ok(connected) => connected,
        Err(_) => Err(sqlx::Error::PoolTimedOut),
    }
}
