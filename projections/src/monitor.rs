//! The monitor: says which views nobody works on, before somebody wonders why one is empty.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use foldlog_core::Error;
use foldlog_pg::Db;
use tokio_util::sync::CancellationToken;

use crate::checkpoint;

/// A class must be unowned in two looks running: between two owners it may be so for a moment.
const LOOK: Duration = Duration::from_secs(3);
/// Warnings of one and the same view come once in so many looks.
const REMIND: u32 = 20;

pub(crate) async fn run(db: &Db, registered: &[&str], shutdown: &CancellationToken) {
    let mut before: BTreeSet<String> = BTreeSet::new();
    let mut warned: BTreeSet<String> = BTreeSet::new();
    for look in 0_u32.. {
        if look % REMIND == 0 {
            warned.clear();
        }
        match unowned(db, registered).await {
            Ok(now) => {
                for (view, free) in now.iter().filter(|(view, _)| before.contains(*view)) {
                    if warned.insert(view.clone()) {
                        tracing::warn!(
                            view,
                            "no live worker owns view {view} ({free}): what it shows grows stale. \
                             Start a process that registers it, or retire it"
                        );
                    }
                }
                warned.retain(|view| now.contains_key(view));
                before = now.into_keys().collect();
            }
            Err(error) => tracing::debug!(%error, "the monitor could not look"),
        }
        if shutdown.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_none() {
            return;
        }
    }
}

/// The projections that are live, or registered here, with a class that no lease covers; and how many
/// of its classes those are.
async fn unowned(db: &Db, registered: &[&str]) -> Result<BTreeMap<String, String>, Error> {
    let mut conn = db.acquire().await?;
    let statuses = checkpoint::statuses(&mut conn, None).await?;
    let live = statuses.iter().map(|status| status.projection.as_str());
    let names: BTreeSet<&str> = live.chain(registered.iter().copied()).collect();
    let mut unowned = BTreeMap::new();
    for name in names {
        let all = statuses.iter().filter(|status| status.projection == name);
        // What stopped at an event has said so itself, and nobody is meant to own it.
        let free = all.clone().filter(|s| s.owner.is_none() && s.stopped.is_none()).count();
        let all = all.count();
        if all == 0 {
            unowned.insert(name.to_owned(), "it was retired".to_owned());
        } else if free > 0 {
            unowned.insert(name.to_owned(), format!("{free} of {all} slice classes"));
        }
    }
    Ok(unowned)
}
