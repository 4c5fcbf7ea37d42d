//! Idleness: what is asked of the server meanwhile, and how soon the first event after it is seen.

use std::time::{Duration, Instant};

use super::Way;
use super::sight::Sight;
use crate::Failure;
use crate::plain::Session;
use crate::run::Run;

/// How long the server's processes may keep to themselves what they have counted.
const UNCOUNTED: Duration = Duration::from_secs(12);

/// Lets both ways rest at the same time, each on its database, and then sends one event to each.
pub(super) async fn both(
    inside: &mut Way,
    across: &mut Way,
    idle: Duration,
) -> Result<(), Failure> {
    inside.rest().await?;
    across.rest().await?;
    // Before the rest, so that the first event does not wait for the session that looks.
    let sights = [Sight::open(inside.bed.endpoint()), Sight::open(across.bed.endpoint())];
    tokio::time::sleep(idle).await;
    for (way, (sight, sender)) in [inside, across].into_iter().zip(sights) {
        let seen = way.pace.one(sight, sender).await?;
        way.first_ms.push(seen.whole.as_secs_f64() * 1_000.0);
    }
    Ok(())
}

/// Counts what is asked of each way's database while nothing happens.
pub(super) async fn count(
    run: &Run<'_>,
    inside: &mut Way,
    across: &mut Way,
    idle: Duration,
) -> Result<(), Failure> {
    inside.rest().await?;
    across.rest().await?;
    tokio::time::sleep(if run.arguments.smoke { idle } else { UNCOUNTED }).await;
    let session = Session::open(&run.server.endpoint()).await?;
    let begun = Instant::now();
    let before = transactions(&session).await?;
    tokio::time::sleep(idle).await;
    let after = transactions(&session).await?;
    let seconds = begun.elapsed().as_secs_f64();
    session.close().await;
    for (way, (before, after)) in [inside, across].into_iter().zip(before.into_iter().zip(after)) {
        way.idle_queries = (after - before) as f64 / seconds;
    }
    Ok(())
}

/// How many transactions each way's database has seen. Whatever is asked while idle is asked outside
/// of a transaction, and is then one of its own.
async fn transactions(session: &Session) -> Result<[i64; 2], Failure> {
    let statement = include_str!("../../../sql/transaction_count.sql");
    let row = session.client.query_one(statement, &[]).await?;
    Ok([row.try_get(0)?, row.try_get(1)?])
}
