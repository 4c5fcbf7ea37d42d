//! The monitor: says which views nobody works on, before somebody wonders why one is empty.

use std::collections::BTreeSet;
use std::time::Duration;

use foldlog_core::Error;
use foldlog_pg::{Db, database};
use tokio_util::sync::CancellationToken;

use crate::checkpoint;

/// A class must be unowned in two looks running: between two owners it may be so for a moment.
const LOOK: Duration = Duration::from_secs(3);
/// Warnings of one and the same view come once in so many looks.
const REMIND: u32 = 20;

pub(crate) async fn run(db: &Db, shutdown: &CancellationToken) {
    let mut before = BTreeSet::new();
    let mut warned = BTreeSet::new();
    for look in 0_u32.. {
        if look % REMIND == 0 {
            warned.clear();
        }
        match unowned(db).await {
            Ok(now) => {
                for view in now.intersection(&before) {
                    if warned.insert(view.clone()) {
                        tracing::warn!(
                            view = %view.0,
                            "no live worker owns view {} ({}): what it shows grows stale. Start a \
                             process that registers it, or retire it",
                            view.0, view.1
                        );
                    }
                }
                warned.retain(|view| now.contains(view));
                before = now;
            }
            Err(error) => tracing::debug!(%error, "the monitor could not look"),
        }
        if shutdown.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_none() {
            return;
        }
    }
}

/// The live projections with a class that no lease covers, and how many of its classes those are.
async fn unowned(db: &Db) -> Result<BTreeSet<(String, String)>, Error> {
    let mut conn = db.pool().acquire().await.map_err(|e| database("look at the leases", e))?;
    let statuses = checkpoint::statuses(&mut conn, None).await?;
    let names: BTreeSet<&str> = statuses.iter().map(|s| s.projection.as_str()).collect();
    let mut unowned = BTreeSet::new();
    for name in names {
        let all = statuses.iter().filter(|s| s.projection == name);
        // What stopped at an event has said so itself, and nobody is meant to own it.
        let free = all.clone().filter(|s| s.owner.is_none() && s.stopped.is_none()).count();
        if free > 0 {
            let classes = format!("{free} of {} slice classes", all.count());
            unowned.insert((name.to_owned(), classes));
        }
    }
    Ok(unowned)
}
