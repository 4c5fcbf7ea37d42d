//! Idleness: what is asked of the server meanwhile, and how soon the first event after it is seen.

use std::time::{Duration, Instant};

use super::Way;
use super::sight::Sight;
use crate::Failure;
use crate::plain::Session;
use crate::run::Run;

/// Lets both ways rest at the same time, each on its database, and then sends one event to each.
pub(super) async fn both(
    run: &Run<'_>,
    inside: &mut Way,
    across: &mut Way,
    idle: Duration,
) -> Result<(), Failure> {
    inside.rest().await?;
    across.rest().await?;
    // The sessions that look are opened before, so that opening them is not counted.
    let sights = [Sight::open(inside.bed.endpoint()), Sight::open(across.bed.endpoint())];
    let session = Session::open(&run.server.endpoint()).await?;
    let settle = idle / 5;
    tokio::time::sleep(settle).await;
    let begun = Instant::now();
    let before = transactions(&session).await?;
    tokio::time::sleep(idle - settle).await;
    let after = transactions(&session).await?;
    let seconds = begun.elapsed().as_secs_f64();
    session.close().await;
    let counts = before.into_iter().zip(after);
    for ((way, (sight, sender)), (before, after)) in
        [inside, across].into_iter().zip(sights).zip(counts)
    {
        way.idle_queries.push((after - before) as f64 / seconds);
        let seen = way.pace.one(sight, sender).await?;
        way.first_ms.push(seen.whole.as_secs_f64() * 1_000.0);
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
