//! Faults by transactions that are open for long, or lock what others need.

use fastrand::Rng;
use futures_util::future::join_all;
use sqlx::{Connection as _, PgConnection};
use tokio::time::{Instant, sleep};

use super::{Strike, between, seconds};
use crate::field::{Field, Missed};

/// Who locks, and how many rows each at most.
const LOCKERS: usize = 3;
const ROWS_MAX: usize = 4;
/// Among the streams that were appended to last.
const STREAMS: i64 = 24;

pub(super) async fn foreign(
    field: &Field,
    rng: &mut Rng,
    strike: &mut Strike<'_>,
) -> Result<(), Missed> {
    open(field.admin().await?, rng, strike).await
}

pub(super) async fn long(
    field: &Field,
    rng: &mut Rng,
    strike: &mut Strike<'_>,
) -> Result<(), Missed> {
    open(field.session().await?, rng, strike).await
}

/// Has a transaction id for a while, and appends nothing.
async fn open(
    mut session: PgConnection,
    rng: &mut Rng,
    strike: &mut Strike<'_>,
) -> Result<(), Missed> {
    let time = between(rng, 1_000, 5_000);
    let mut tx = session.begin().await?;
    let id: String = sqlx::query_scalar(include_str!("../../sql/transaction_id.sql"))
        .fetch_one(&mut *tx)
        .await?;
    strike.harm(format!("transaction {id} for {}", seconds(time)));
    sleep(time).await;
    let ended = if rng.bool() { tx.commit().await } else { tx.rollback().await };
    ended.map_err(Missed::from)
}

pub(super) async fn deadlocks(
    field: &Field,
    rng: &mut Rng,
    strike: &mut Strike<'_>,
) -> Result<(), Missed> {
    let time = between(rng, 1_000, 3_000);
    strike.harm(seconds(time));
    let until = Instant::now() + time;
    let lockers = (0..LOCKERS).map(|_| lock_rows(field, rng.fork(), until, true));
    join_all(lockers).await.into_iter().collect()
}

/// Locks rows of streams in short transactions: several, in a random order, so as to meet others; or
/// each for a while, so that they wait.
pub(super) async fn lock_rows(
    field: &Field,
    mut rng: Rng,
    until: Instant,
    meeting: bool,
) -> Result<(), Missed> {
    while Instant::now() < until {
        let mut session = field.session().await?;
        while Instant::now() < until && lock_once(&mut session, &mut rng, meeting).await.is_ok() {}
        // Deadlocks are the purpose; a lost session is another fault's.
        sleep(between(&mut rng, 1, 50)).await;
    }
    Ok(())
}

async fn lock_once(session: &mut PgConnection, rng: &mut Rng, meeting: bool) -> Result<(), Missed> {
    let list = sqlx::query_scalar(include_str!("../../sql/stream_list.sql")).bind(STREAMS);
    let mut streams: Vec<i64> = list.fetch_all(&mut *session).await?;
    rng.shuffle(&mut streams);
    streams.truncate(rng.usize(2..=ROWS_MAX));
    let mut tx = session.begin().await?;
    // The others are to be those who find the deadlock, and are broken off. We wait for a while only:
    // a backend that waits for a lock does not notice that its client has gone.
    sqlx::raw_sql(include_str!("../../sql/deadlock_patience.sql")).execute(&mut *tx).await?;
    for stream in streams {
        let lock = sqlx::query(include_str!("../../sql/stream_lock.sql")).bind(stream);
        lock.execute(&mut *tx).await?;
        sleep(between(rng, 0, 8)).await;
    }
    if !meeting {
        sleep(between(rng, 20, 100)).await;
    }
    tx.rollback().await?;
    sleep(between(rng, 1, 10)).await;
    Ok(())
}
