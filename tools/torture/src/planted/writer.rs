//! A writer that keeps receipts of its own, beside the transaction of the events: wrong.

use std::time::Duration;

use foldlog_core::Error;
use foldlog_eventstore::EventStore;
use foldlog_pg::database;
use sqlx::Row as _;
use tokio::time::{sleep, timeout};

use crate::book::Book;
use crate::domain::{signed, unsigned};
use crate::draft::{Draft, DraftPart, outcome};
use crate::history::Outcome;

/// Longer than any append takes.
const PATIENCE: Duration = Duration::from_secs(6);
/// As long as it takes on a busy day: many die here.
const PAUSE: Duration = Duration::from_millis(20);

/// Appends what has no receipt yet, and writes the receipt.
pub async fn append(store: &EventStore, book: &Book, draft: &Draft) -> Outcome {
    match timeout(PATIENCE, attempt(store, book, draft)).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) | Err(_) => Outcome::Unknown,
    }
}

async fn attempt(store: &EventStore, book: &Book, draft: &Draft) -> Result<Outcome, Error> {
    let failed = |e| database("keep a receipt", e);
    let number = signed(draft.number);
    let mut conn = store.db().acquire().await?;
    let found = sqlx::query(include_str!("../../sql/planted/receipt_find.sql"))
        .bind(number)
        .fetch_optional(&mut *conn)
        .await
        .map_err(failed)?;
    if let Some(row) = found {
        let versions: Vec<i64> = row.try_get(0).map_err(failed)?;
        let positions: Vec<i64> = row.try_get(1).map_err(failed)?;
        let all = |numbers: Vec<i64>| numbers.into_iter().map(unsigned).collect();
        return Ok(Outcome::Done {
            repeated: true,
            versions: all(versions),
            positions: all(positions),
        });
    }
    // Its own receipt is relied on: the store is given a new request each time.
    let copy = |part: &DraftPart| DraftPart {
        account: part.account.clone(),
        expect: part.expect,
        events: part.events.clone(),
    };
    let parts = draft.parts.iter().map(copy).collect();
    let request = Draft { number: draft.number, id: None, parts }.request();
    let done = outcome(book, &store.append_in(&mut conn, &request).await);
    if let Outcome::Done { versions, positions, .. } = &done {
        sleep(PAUSE).await;
        let all = |numbers: &[u64]| numbers.iter().copied().map(signed).collect::<Vec<_>>();
        sqlx::query(include_str!("../../sql/planted/receipt_insert.sql"))
            .bind(number)
            .bind(all(versions))
            .bind(all(positions))
            .execute(&mut *conn)
            .await
            .map_err(failed)?;
    }
    Ok(done)
}
