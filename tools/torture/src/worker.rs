//! A worker process: the subcommand that the torture starts, stops and kills.

use std::sync::Arc;
use std::time::Duration;

use foldlog_core::Error;
use foldlog_eventstore::EventStore;
use foldlog_pg::Db;
use foldlog_projections::{Projections, Registered, Workers};
use tokio::io::AsyncReadExt as _;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::bug::Bug;
use crate::domain::registered;

/// Short, so that a schedule sees many of them run out.
pub const LEASE: Duration = Duration::from_millis(1_500);
const PAUSE: Duration = Duration::from_millis(200);

/// Works on all projections until standard input ends. A server that is away is waited for.
pub async fn run(url: &str, bug: Option<Bug>) {
    let stop = CancellationToken::new();
    let told = stop.clone();
    // Whoever started us holds the other end: it ends with them, however they end.
    let listening = tokio::spawn(async move {
        let mut bytes = [0; 64];
        while tokio::io::stdin().read(&mut bytes).await.is_ok_and(|read| read > 0) {}
        told.cancel();
    });
    while !stop.is_cancelled() {
        if let Err(error) = work(url, bug, &stop).await {
            eprintln!("worker: {error}");
            let _stopped = stop.run_until_cancelled(tokio::time::sleep(PAUSE)).await;
        }
    }
    listening.abort();
}

async fn work(url: &str, bug: Option<Bug>, stop: &CancellationToken) -> Result<(), Error> {
    let db = Db::connect(url).await?;
    let store = EventStore::open(&db).await?;
    let source = Arc::new(store.clone());
    let mut by_hand = JoinSet::new();
    let ours = by_the_product(bug, &store, stop, &mut by_hand)?;
    let projections = Projections::open(&db, source.clone(), source, ours).await?;
    let options = Workers::default().lease(LEASE);
    let (carried, worked) =
        tokio::join!(store.run(stop.clone()), projections.run(&options, stop.clone()));
    while by_hand.join_next().await.is_some() {}
    carried.and(worked)
}

/// What the product's workers do: all, but for a projection with a bug, which is done by hand.
fn by_the_product(
    bug: Option<Bug>,
    store: &EventStore,
    stop: &CancellationToken,
    by_hand: &mut JoinSet<()>,
) -> Result<Vec<Registered>, Error> {
    let mut registered = registered()?;
    #[cfg(feature = "planted")]
    if let Some(bug) = bug
        && let Some(name) = crate::planted::worker::projection(bug)
    {
        registered.retain(|one| one.name() != name);
        for remainder in 0..4 {
            let (store, stop) = (store.clone(), stop.clone());
            by_hand.spawn(crate::planted::worker::run(bug, store, remainder, stop));
        }
    }
    #[cfg(not(feature = "planted"))]
    let _ = (bug, store, stop, &mut registered, by_hand);
    Ok(registered)
}
