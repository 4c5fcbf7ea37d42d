//! One run at a time: two would play the same lines, to no harm and no use.

use std::time::Duration;

use foldlog::prelude::*;
use sqlx::PgConnection;

use crate::Failure;

/// Held by a session of its own: it ends with the process, however that ends.
const LOCK: &str = "select pg_try_advisory_lock(hashtextextended('foldlog example retail', 0) \
                    & 72057594037927935)";
/// A run that was killed a moment ago may still be on its way out of the server.
const ATTEMPTS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(100);

/// The right to play on this store, for as long as the connection is open.
#[derive(Debug)]
pub struct Only {
    _connection: PgConnection,
}

impl Only {
    pub async fn here(db: &Db) -> Result<Self, Failure> {
        let mut connection = db.session("foldlog retail").await?;
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                tokio::time::sleep(PAUSE).await;
            }
            if sqlx::query_scalar(LOCK).fetch_one(&mut connection).await? {
                return Ok(Self { _connection: connection });
            }
        }
        Err(format!(
            "another `retail` is playing on {}: wait until it ends, stop it, or give this one a \
             database of its own with DATABASE_URL.",
            db.description()
        )
        .into())
    }
}
