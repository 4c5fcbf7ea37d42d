//! Prepared transactions with an append in them.

use fastrand::Rng;
use sqlx::{AssertSqlSafe, PgConnection};
use tokio::time::sleep;

use super::{Strike, between, process, seconds};
use crate::field::{AppendIn, Field, Insistence, Missed, Prepared, filled, literal};
use crate::history::{Commit, Transaction};

/// Names of ours begin so.
const PREFIX: &str = "torture-";

/// Prepares, leaves it for a while, resolves it.
pub(super) async fn leave(
    field: &Field,
    rng: &mut Rng,
    strike: &mut Strike<'_>,
) -> Result<(), Missed> {
    let Some(append) = field.append.as_ref() else {
        return Err(Missed("nobody said how to append".to_owned()));
    };
    let gid = format!("{PREFIX}{:016x}", rng.u64(..));
    let (time, over_a_crash, commit) = (between(rng, 300, 4_000), rng.u8(0..4) == 0, rng.bool());
    let begun = field.recorder.now();
    let (mut session, transaction) = opened(field, append).await?;
    // Noted before it is done: who resolves it finds out whether it was.
    let note = Prepared { transaction, begun, committing: false };
    field.wounds().prepared.insert(gid.clone(), note);
    let end = if commit { "then committed" } else { "then rolled back" };
    strike.harm(format!("{gid} for {}, {end}", seconds(time)));
    let prepare = filled(include_str!("../../sql/transaction_prepare.sql"), &named(&gid));
    let done = sqlx::raw_sql(AssertSqlSafe(prepare)).execute(&mut session).await;
    drop(session);
    if done.is_ok() {
        sleep(time / 2).await;
        if over_a_crash {
            strike.harm(format!("{gid} for {}, over a crash, {end}", seconds(time)));
            let mut cluster = field.cluster.lock().await;
            process::crash(field, &mut cluster, between(rng, 0, 500)).await;
        }
        sleep(time / 2).await;
    }
    resolve(field, &gid, commit).await?;
    done.map(drop).map_err(Missed::from)
}

/// A session with an open transaction that has appended.
async fn opened(field: &Field, append: &AppendIn) -> Result<(PgConnection, Option<u64>), Missed> {
    let mut insistence = Insistence::default();
    loop {
        // A new one each time: the old one's transaction has failed.
        let mut session = field.session().await?;
        sqlx::raw_sql(include_str!("../../sql/transaction_begin.sql"))
            .execute(&mut session)
            .await?;
        match append(&mut session).await {
            Ok(transaction) => return Ok((session, transaction)),
            Err(error) => insistence.again(Missed(error)).await?,
        }
    }
}

/// Commits a prepared transaction or rolls it back, and tells the history how it ended. It is tried
/// again when the server goes away under it.
pub(super) async fn resolve(field: &Field, gid: &str, commit: bool) -> Result<(), Missed> {
    let mut insistence = Insistence::default();
    while let Err(missed) = resolve_once(field, gid, commit).await {
        insistence.again(missed).await?;
    }
    let note = field.wounds().prepared.remove(gid);
    if let Some(Prepared { transaction: Some(id), begun, committing }) = note {
        let ended = field.recorder.now();
        // It is gone, and nobody but us ends it: if it was asked to commit, it has.
        let commit = if committing { Commit::Done } else { Commit::RolledBack };
        field.recorder.write().transactions.push(Transaction { id, begun, ended, commit });
    }
    Ok(())
}

async fn resolve_once(field: &Field, gid: &str, commit: bool) -> Result<(), Missed> {
    if !left(field).await?.iter().any(|name| name == gid) {
        return Ok(());
    }
    if commit && let Some(note) = field.wounds().prepared.get_mut(gid) {
        note.committing = true;
    }
    let sql = if commit {
        include_str!("../../sql/prepared_commit.sql")
    } else {
        include_str!("../../sql/prepared_rollback.sql")
    };
    let mut session = field.session().await?;
    let sql = filled(sql, &named(gid));
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut session).await?;
    Ok(())
}

/// The names of those that wait to be resolved.
pub(super) async fn left(field: &Field) -> Result<Vec<String>, Missed> {
    let mut session = field.session().await?;
    let list = sqlx::query_scalar(include_str!("../../sql/prepared_list.sql"));
    Ok(list.bind(PREFIX).fetch_all(&mut session).await?)
}

fn named(gid: &str) -> [(&'static str, String); 1] {
    [("gid", literal(gid))]
}
