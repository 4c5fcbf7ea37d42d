//! Filling a store fast: the bound, the positions, then the rows of many streams, in one transaction.

use foldlog_pg::Endpoint;

use crate::Failure;
use crate::plain::Session;
use crate::streams::Accounts;

/// How many events are written in one transaction at most.
const EVENTS_MAX: i64 = 1_000_000;

/// Makes the streams of these accounts, each with as many events as its version says, as appends
/// would have left them: nobody else may write meanwhile. The events of one transaction's streams
/// are interleaved: first each one's first, then each one's second.
pub async fn fill(endpoint: &Endpoint, accounts: Accounts) -> Result<(), Failure> {
    let mut session = Session::open(endpoint).await?;
    let each = i64::try_from(accounts.version)?.max(1);
    let streams_max = (EVENTS_MAX / each).max(1);
    let mut first = accounts.first;
    let end = accounts.first + accounts.count;
    while first < end {
        let streams = streams_max.min(end - first);
        let transaction = session.client.transaction().await?;
        let bound = transaction.query_one(include_str!("../sql/fill_bound.sql"), &[]).await?;
        let bound: i64 = bound.try_get(0)?;
        let events = streams * each;
        transaction.query(include_str!("../sql/fill_draw.sql"), &[&(bound + events)]).await?;
        let written = transaction
            .execute(include_str!("../sql/fill_event.sql"), &[&first, &streams, &each, &bound])
            .await?;
        if i64::try_from(written)? != events {
            return Err(format!("{events} events were to be filled in, {written} were").into());
        }
        transaction.commit().await?;
        session.client.query(include_str!("../sql/fill_segment.sql"), &[]).await?;
        first += streams;
    }
    // As a store stands that was not filled a moment ago.
    session.client.batch_execute(include_str!("../sql/store_vacuum.sql")).await?;
    session.close().await;
    Ok(())
}
