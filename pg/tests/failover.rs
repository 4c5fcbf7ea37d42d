//! Several hosts: a connection is had from the one that takes writes, however the other one went.

mod door;

use std::fs;
use std::os::unix::fs::symlink;

use foldlog_core::ErrorKind;
use foldlog_pg::{Db, Endpoint, Variables};
use foldlog_testkit::{Cluster, wait_until};
use sqlx::{Connection, PgConnection};

use self::door::{Door, State};
use super::places::{LONG, Place};

/// A primary, and a standby that follows it.
async fn pair() -> (Cluster, Cluster) {
    let mut primary = Cluster::make(&[]).await;
    let mut standby = primary.copy().await;
    standby.standby_of(&primary);
    primary.start().await;
    standby.start().await;
    (primary, standby)
}

/// The hosts by their ports; a host that does not answer is given up soon.
fn both(one: u16, other: u16) -> String {
    let hosts = format!("127.0.0.1:{one},127.0.0.1:{other}");
    format!("postgres://postgres@{hosts}/postgres?connect_timeout=4&sslmode=disable")
}

async fn open(url: &str) -> Db {
    Db::open(Endpoint::parse(url, &Variables::none()).unwrap(), None).await.unwrap()
}

async fn promote(standby: &Cluster) {
    let mut session = PgConnection::connect(&standby.url("postgres")).await.unwrap();
    sqlx::raw_sql("select pg_promote()").execute(&mut session).await.unwrap();
}

/// Takes a connection, writes on it, and leaves it to the pool.
async fn write(db: &Db) {
    let mut conn = db.acquire().await.unwrap();
    sqlx::raw_sql("create table written (); drop table written").execute(&mut *conn).await.unwrap();
}

/// Leaves the pool without a connection.
async fn empty(db: &Db) {
    db.acquire().await.unwrap().close().await.unwrap();
    wait_until(LONG, async || db.own_pool().size() == 0).await;
}

#[tokio::test]
async fn a_primary_that_came_back_as_a_standby_is_left_for_the_new_one() {
    let (mut old, mut new) = pair().await;
    let db = open(&both(old.port(), new.port())).await;
    write(&db).await;
    old.stop().await;
    promote(&new).await;
    old.standby_of(&new);
    old.start().await;
    write(&db).await;
    db.close().await;
    new.stop().await;
}

#[tokio::test]
async fn a_connection_whose_host_turned_read_only_is_left_for_another_host() {
    let (mut old, new) = pair().await;
    let db = open(&both(old.port(), new.port())).await;
    write(&db).await;
    promote(&new).await;
    old.set("default_transaction_read_only", "on");
    old.reload();
    let mut outside = PgConnection::connect(&old.url("postgres")).await.unwrap();
    wait_until(LONG, async || {
        let asked = sqlx::query_scalar("select current_setting('transaction_read_only')::bool");
        asked.fetch_one(&mut outside).await.unwrap()
    })
    .await;
    // The session was not ended by that.
    assert_eq!(db.own_pool().num_idle(), 1);
    write(&db).await;
    db.close().await;
}

#[tokio::test]
async fn a_host_whose_socket_is_gone_is_left_for_another_one() {
    let mut cluster = Cluster::make(&[]).await;
    cluster.start().await;
    let place = Place::new();
    let link = place.base().join("link");
    symlink(cluster.socket(), &link).unwrap();
    let (folder, port) = (link.display(), cluster.port());
    let url = format!("host={folder},127.0.0.1 port={port},{port} user=postgres dbname=postgres");
    let db = open(&url).await;
    empty(&db).await;
    fs::remove_file(&link).unwrap();
    write(&db).await;
    db.close().await;
}

#[tokio::test]
async fn a_host_that_hangs_up_is_left_for_another_one() {
    let mut cluster = Cluster::make(&[]).await;
    cluster.start().await;
    let door = Door::before(cluster.port()).await;
    let db = open(&both(door.port, cluster.port())).await;
    write(&db).await;
    door.set(State::Closed);
    write(&db).await;
    db.close().await;
}

#[tokio::test]
async fn a_host_that_falls_silent_is_left_for_another_one() {
    let mut cluster = Cluster::make(&[]).await;
    cluster.start().await;
    for idle in [0, 2] {
        let door = Door::before(cluster.port()).await;
        let db = open(&both(door.port, cluster.port())).await;
        let connections = [db.acquire().await.unwrap(), db.acquire().await.unwrap()];
        for (place, connection) in connections.into_iter().enumerate() {
            if place < idle {
                drop(connection);
            } else {
                connection.close().await.unwrap();
            }
        }
        wait_until(LONG, async || db.own_pool().num_idle() == idle).await;
        door.set(State::Silent);
        write(&db).await;
        write(&db).await;
        db.close().await;
    }
}

#[tokio::test]
async fn a_host_without_an_address_keeps_nobody_from_the_others() {
    let (mut old, new) = pair().await;
    let (one, other) = (old.port(), new.port());
    let hosts = format!("gone.invalid:{one},127.0.0.1:{one},127.0.0.1:{other}");
    let db = open(&format!("postgres://postgres@{hosts}/postgres?sslmode=disable")).await;
    write(&db).await;
    promote(&new).await;
    old.kill().await;
    write(&db).await;
    db.close().await;
}

#[tokio::test]
async fn a_standby_beside_a_host_that_is_gone_may_yet_be_promoted() {
    let (mut old, new) = pair().await;
    let (one, other) = (old.port(), new.port());
    let parsed = |url: &str| Endpoint::parse(url, &Variables::none()).unwrap();
    let endpoint = parsed(&both(one, other));
    old.kill().await;
    let nameless = parsed(&both(one, other).replacen("127.0.0.1", "gone.invalid", 1));
    for endpoint in [endpoint.clone(), parsed(&both(other, one)), nameless] {
        let error = Db::open(endpoint, None).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(error.to_string().contains("is a standby"), "{error}");
    }
    // Without a host that is gone nobody knows of a promotion; and some things never pass.
    for (url, said) in [
        (both(other, other), "is a standby"),
        (both(one, other).replace("/postgres?", "/no_such?"), "createdb"),
    ] {
        let error = Db::open(parsed(&url), None).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Setup, "{error}");
        assert!(error.to_string().contains(said), "{error}");
    }
    let promoting = async {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        promote(&new).await;
    };
    let opening = async {
        loop {
            match Db::open(endpoint.clone(), None).await {
                Ok(db) => break db,
                Err(error) => assert!(error.is_retryable(), "{error}"),
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    let (db, ()) = tokio::join!(opening, promoting);
    write(&db).await;
    db.close().await;
}
