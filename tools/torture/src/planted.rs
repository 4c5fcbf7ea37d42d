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
    if bug == Some(Bug::BoundByScan) {
        sqlx::raw_sql(include_str!("../sql/planted/bound_scan.sql"))
            .execute(db.pool())
            .await
            .map_err(|e| database("plant a bug", e))?;
    }
    Ok(())
}
