//! Bugs put in on purpose: the checker has to catch each of them.
//!
//! Readers and workers with a bug stand in for those of the product; a bug of the database's
//! functions is put into the database of the schedule.

pub mod reader;
pub mod worker;
pub mod writer;

use foldlog_core::Error;
use foldlog_pg::{Db, database};

use crate::bug::Bug;

/// Puts a bug into the database, if it belongs there.
///
/// # Errors
///
/// Those of the database.
pub async fn plant(db: &Db, bug: Option<Bug>) -> Result<(), Error> {
    let statement = match bug {
        Some(Bug::BoundByScan) => include_str!("../sql/planted/bound_scan.sql"),
        Some(Bug::TagLockForgotten) => include_str!("../sql/planted/tag_lock_forget.sql"),
        Some(Bug::CountOnlyCondition) => include_str!("../sql/planted/condition_count.sql"),
        Some(Bug::BatchWaitsForStranger) => include_str!("../sql/planted/lock_wait.sql"),
        Some(Bug::ReceiptOutsideTransaction) => include_str!("../sql/planted/receipt_create.sql"),
        _ => return Ok(()),
    };
    let planting = sqlx::raw_sql(statement).execute(db.pool()).await;
    planting.map_err(|e| database("plant a bug", e))?;
    Ok(())
}
