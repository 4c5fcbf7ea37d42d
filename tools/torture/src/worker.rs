//! A worker process: the subcommand that the torture starts, stops and kills.

use std::sync::Arc;
use std::time::Duration;

use foldlog_core::Error;
use foldlog_eventstore::EventStore;
use foldlog_pg::Db;
use foldlog_projections::{Projections, Workers};
use tokio::io::AsyncReadExt as _;
use tokio_util::sync::CancellationToken;

use crate::domain::registered;

/// Short, so that a schedule sees many of them run out.
pub const LEASE: Duration = Duration::from_millis(1_500);
const PAUSE: Duration = Duration::from_millis(200);

/// Works on all projections until standard input ends.
///
/// # Errors
///
/// None: a server that is away is waited for.
pub async fn run(url: &str) -> Result<(), Error> {
    let stop = CancellationToken::new();
    let told = stop.clone();
    // Whoever started us holds the other end: it ends with them, however they end.
    let listening = tokio::spawn(async move {
        let mut bytes = [0; 64];
        while tokio::io::stdin().read(&mut bytes).await.is_ok_and(|read| read > 0) {}
        told.cancel();
    });
    while !stop.is_cancelled() {
        if let Err(error) = work(url, &stop).await {
            eprintln!("worker: {error}");
            let _stopped = stop.run_until_cancelled(tokio::time::sleep(PAUSE)).await;
        }
    }
    listening.abort();
    Ok(())
}

async fn work(url: &str, stop: &CancellationToken) -> Result<(), Error> {
    let db = Db::connect(url).await?;
    let store = EventStore::open(&db).await?;
    let source = Arc::new(store.clone());
    let projections = Projections::open(&db, source.clone(), source, registered()?).await?;
    let options = Workers::default().lease(LEASE);
    let (carried, worked) =
        tokio::join!(store.run(stop.clone()), projections.run(&options, stop.clone()));
    carried.and(worked)
}
