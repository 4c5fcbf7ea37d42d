//! Bugs put in on purpose: the checker has to catch each of them.
//!
//! Readers and workers with a bug stand in for those of the product; a bug of the database's
//! functions is put into the database of the schedule.

pub mod reader;
pub mod worker;

use foldlog_core::Error;
use foldlog_pg::{Db, database};

use crate::bug::Bug;

/// Puts a bug into the database, if it belongs there.
///
/// # Errors
///
/// Those of the database.
pub async fn plant(db: &Db, bug: Option<Bug>) -> Result<(), Error> {
    let sql = match bug {
        Some(Bug::BoundByScan) => include_str!("../sql/planted/bound_scan.sql"),
        Some(Bug::TagLockForgotten) => include_str!("../sql/planted/tag_lock_forget.sql"),
        Some(Bug::CountOnlyCondition) => include_str!("../sql/planted/condition_count.sql"),
        _ => return Ok(()),
    };
    sqlx::raw_sql(sql).execute(db.pool()).await.map_err(|e| database("plant a bug", e))?;
    Ok(())
}
