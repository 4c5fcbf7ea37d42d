//! Faults of the database's settings: they hold for new sessions, so all are sent away when they
//! begin and when they end.

use std::time::Duration;

use fastrand::Rng;
use sqlx::AssertSqlSafe;
use tokio::time::{Instant, sleep};

use super::{Strike, between, seconds, transaction};
use crate::field::{Field, Insistence, Missed, filled, identifier};

const STATEMENT_TIMEOUT: &str = "statement_timeout";
const LOCK_TIMEOUT: &str = "lock_timeout";
const ISOLATION: &str = "default_transaction_isolation";
/// What these faults set.
const SETTINGS: [&str; 3] = [STATEMENT_TIMEOUT, LOCK_TIMEOUT, ISOLATION];

pub(super) async fn statement_timeout(
    field: &Field,
    rng: &mut Rng,
    strike: &mut Strike<'_>,
) -> Result<(), Missed> {
    let value = format!("{}ms", rng.u32(1..=8));
    let time = between(rng, 500, 2_500);
    during(field, strike, (STATEMENT_TIMEOUT, &value), time, sleep(time)).await
}

pub(super) async fn lock_timeout(
    field: &Field,
    rng: &mut Rng,
    strike: &mut Strike<'_>,
) -> Result<(), Missed> {
    let value = format!("{}ms", rng.u32(1..=5));
    let time = between(rng, 500, 2_500);
    let locking = Box::pin(transaction::lock_rows(field, rng.fork(), Instant::now() + time, false));
    // Whether a row was locked or not, waits are short.
    during(field, strike, (LOCK_TIMEOUT, &value), time, async { drop(locking.await) }).await
}

pub(super) async fn serializable(
    field: &Field,
    rng: &mut Rng,
    strike: &mut Strike<'_>,
) -> Result<(), Missed> {
    let time = between(rng, 500, 3_000);
    during(field, strike, (ISOLATION, "serializable"), time, sleep(time)).await
}

async fn during(
    field: &Field,
    strike: &mut Strike<'_>,
    (setting, value): (&str, &str),
    time: Duration,
    meanwhile: impl Future<Output = ()>,
) -> Result<(), Missed> {
    let mut session = field.session().await?;
    let names = [
        ("database", identifier(&field.database)),
        ("setting", identifier(setting)),
        ("value", value.to_owned()),
    ];
    let set = filled(include_str!("../../sql/database_set.sql"), &names);
    strike.harm(format!("{value} for {}", seconds(time)));
    sqlx::raw_sql(AssertSqlSafe(set)).execute(&mut session).await?;
    field.terminate(&mut session, None).await?;
    drop(session);
    meanwhile.await;
    reset(field, setting).await
}

/// Takes a setting back, and sends away the sessions that have it. It is tried again when the server
/// goes away under it.
pub(super) async fn reset(field: &Field, setting: &str) -> Result<(), Missed> {
    let mut insistence = Insistence::default();
    while let Err(missed) = reset_once(field, setting).await {
        insistence.again(missed).await?;
    }
    Ok(())
}

async fn reset_once(field: &Field, setting: &str) -> Result<(), Missed> {
    let mut session = field.session().await?;
    let names = [("database", identifier(&field.database)), ("setting", identifier(setting))];
    let text = filled(include_str!("../../sql/database_reset.sql"), &names);
    sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut session).await?;
    field.terminate(&mut session, None).await.map(drop)
}

/// The settings of these faults that the database has.
pub(super) async fn left(field: &Field) -> Result<Vec<&'static str>, Missed> {
    let mut session = field.session().await?;
    let list = sqlx::query_scalar(include_str!("../../sql/database_setting_list.sql"));
    let set: Vec<String> = list.bind(&field.database).fetch_all(&mut session).await?;
    Ok(SETTINGS.into_iter().filter(|name| set.iter().any(|known| known == name)).collect())
}
