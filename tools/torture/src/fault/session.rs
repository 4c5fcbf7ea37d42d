//! Faults that strike the server's sessions.

use std::time::Duration;

use fastrand::Rng;
use futures_util::future::join_all;
use sqlx::PgConnection;
use tokio::time::{Instant, sleep, timeout};

use super::{Strike, between, seconds};
use crate::field::{APPLICATION, Field, Missed};

/// More than the server of a schedule has.
const SESSIONS_MAX: usize = 300;
/// How many are opened at a time: each is a process.
const STEP: usize = 8;
const TOO_MANY: &str = "53300";
const MAINTENANCE_MAX: Duration = Duration::from_secs(10);

pub(super) async fn terminate(
    field: &Field,
    rng: &mut Rng,
    strike: &mut Strike<'_>,
) -> Result<(), Missed> {
    let mut session = field.session().await?;
    let mut sessions = field.sessions(&mut session, false).await?;
    rng.shuffle(&mut sessions);
    sessions.truncate(rng.usize(1..=6));
    match field.terminate(&mut session, Some(&sessions)).await? {
        0 => Err(Missed("nobody is connected".to_owned())),
        ended => {
            strike.harm(format!("{ended} sessions"));
            Ok(())
        }
    }
}

pub(super) async fn cancel(
    field: &Field,
    rng: &mut Rng,
    strike: &mut Strike<'_>,
) -> Result<(), Missed> {
    let mut session = field.session().await?;
    let until = Instant::now() + between(rng, 300, 1_500);
    let mut cancelled = 0;
    while Instant::now() < until {
        let mut busy = field.sessions(&mut session, true).await?;
        rng.shuffle(&mut busy);
        busy.truncate(2);
        cancelled += sqlx::query_scalar::<_, i64>(include_str!("../../sql/session_cancel.sql"))
            .bind(&field.database)
            .bind(APPLICATION)
            .bind(&busy)
            .fetch_one(&mut session)
            .await?;
        if cancelled > 0 {
            strike.harm(format!("{cancelled} statements"));
        }
        sleep(between(rng, 1, 40)).await;
    }
    if cancelled > 0 { Ok(()) } else { Err(Missed("nothing ran".to_owned())) }
}

pub(super) async fn exhaust(
    field: &Field,
    rng: &mut Rng,
    strike: &mut Strike<'_>,
) -> Result<(), Missed> {
    let mut taken: Vec<PgConnection> = Vec::new();
    let mut full = false;
    while !full && taken.len() < SESSIONS_MAX {
        for opened in join_all((0..STEP).map(|_| field.attempt(&field.database))).await {
            match opened {
                Ok(session) => taken.push(session),
                Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(TOO_MANY) => {
                    full = true;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
    if !full {
        return Err(Missed(format!("{SESSIONS_MAX} sessions were not too many")));
    }
    let time = between(rng, 300, 2_000);
    strike.harm(format!("{} sessions taken for {}", taken.len(), seconds(time)));
    sleep(time).await;
    Ok(())
}

pub(super) async fn maintain(
    field: &Field,
    rng: &mut Rng,
    strike: &mut Strike<'_>,
) -> Result<(), Missed> {
    let mut session = field.session().await?;
    let mut work = [
        ("checkpoint", include_str!("../../sql/checkpoint.sql")),
        ("vacuum", include_str!("../../sql/event_vacuum.sql")),
        ("analyze", include_str!("../../sql/event_analyze.sql")),
    ];
    rng.shuffle(&mut work);
    for (name, sql) in work {
        strike.harm(name);
        match timeout(MAINTENANCE_MAX, sqlx::raw_sql(sql).execute(&mut session)).await {
            Ok(done) => done.map(drop)?,
            Err(_) => return Err(Missed(format!("{name} found no end"))),
        }
    }
    strike.harm("checkpoint, vacuum (freeze) and analyze");
    Ok(())
}
