//! Segments: the pieces of a log's table, made ahead of need.

use std::time::Duration;

use foldlog_core::Error;
use sqlx::{Connection, PgConnection};

use crate::sqlstate::database;

/// How long one try may wait for a lock: short, because whoever wants the same lock waits behind it.
const LOCK_TIMEOUT: &str = "100ms";
const ATTEMPTS_MAX: u32 = 20;

/// Makes what is missing of the current segment of a log and the two after it.
///
/// Returns how many it made: usually none. Appends go on meanwhile.
///
/// # Errors
///
/// [`ErrorKind::Busy`](foldlog_core::ErrorKind::Busy) if the locks were not to be had in two
/// seconds of short tries; those of the database.
pub async fn ensure(conn: &mut PgConnection, log: i32) -> Result<i32, Error> {
    let mut attempt = 1;
    loop {
        match ensure_once(conn, log).await {
            Err(error) if error.is_retryable() && attempt < ATTEMPTS_MAX => {
                attempt += 1;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            result => return result,
        }
    }
}

async fn ensure_once(conn: &mut PgConnection, log: i32) -> Result<i32, Error> {
    let what = "make segments ahead";
    let mut tx = conn.begin().await.map_err(|e| database(what, e))?;
    sqlx::query(include_str!("../sql/setting_local_set.sql"))
        .bind("lock_timeout")
        .bind(LOCK_TIMEOUT)
        .execute(&mut *tx)
        .await
        .map_err(|e| database(what, e))?;
    let made: i32 = sqlx::query_scalar(include_str!("../sql/segment_ensure.sql"))
        .bind(log)
        .fetch_one(&mut *tx)
        .await
        .map_err(|e| database(what, e))?;
    tx.commit().await.map_err(|e| database(what, e))?;
    Ok(made)
}
