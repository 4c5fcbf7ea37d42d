//! Private servers whose start or stop is dropped: every share is given back, and the last one stops
//! the server.

use foldlog_pg::{Db, PrivateServer};
use foldlog_testkit::{sweep, wait_until};

use super::super::places::{LONG, Place};

async fn joined(place: &Place) -> PrivateServer {
    PrivateServer::start(place.options()).await.unwrap()
}

#[tokio::test]
async fn a_dropped_start_of_a_private_server_stops_it_again() {
    let place = Place::new();
    joined(&place).await.close().await.unwrap();
    sweep("PrivateServer::start", async |cut| {
        let started = cut.of(PrivateServer::start(place.options())).await.map(Result::unwrap);
        let is_up = started.is_some();
        drop(started);
        wait_until(LONG, async || !place.is_up()).await;
        is_up
    })
    .await;
    // A start that was still on its way when one looked has its turn before this one.
    joined(&place).await.close().await.unwrap();
    wait_until(LONG, async || !place.is_up()).await;
}

#[tokio::test]
async fn shares_in_a_private_server_that_are_dropped_half_way_are_given_back() {
    let place = Place::new();
    let share = joined(&place).await;
    let up = place.postmaster();
    sweep("Db::private", async |cut| {
        let opened = cut.of(Db::private(place.options())).await.map(Result::unwrap);
        let is_open = opened.is_some();
        if let Some(db) = opened {
            sqlx::query("select 1").execute(db.pool()).await.unwrap();
        }
        is_open
    })
    .await;
    sweep("PrivateServer::close", async |cut| {
        let second = joined(&place).await;
        cut.of(second.close()).await.is_some()
    })
    .await;
    sweep("Db::close, of a private server", async |cut| {
        let db = place.db().await;
        sqlx::query("select 1").execute(db.pool()).await.unwrap();
        cut.of(db.close()).await.is_some()
    })
    .await;
    assert_eq!(place.postmaster(), up, "the first share kept it up");
    share.close().await.unwrap();
    wait_until(LONG, async || !place.is_up()).await;
}
