//! The proxy, in front of a real server.

use std::time::{Duration, Instant};

use fastrand::Rng;
use foldlog_testkit::wait_until;
use foldlog_torture::proxy::{After, Proxy};
use sqlx::{Connection, PgConnection};

use crate::support::{PATIENCE, cluster, number, run, session};

const APPEND: &str = "insert into note select $1 /* as foldlog.append_1 */";

async fn insert(session: &mut PgConnection, n: i64) -> Result<(), sqlx::Error> {
    sqlx::query(APPEND).bind(n).execute(session).await.map(drop)
}

async fn committed(session: &mut PgConnection, n: i64) -> Result<(), sqlx::Error> {
    let mut tx = session.begin().await?;
    insert(&mut tx, n).await?;
    tx.commit().await
}

/// One server for all controls: making one takes longer than what is tried on it.
#[tokio::test]
async fn the_proxy_cuts_swallows_and_splits_as_it_is_told() {
    let cluster = cluster().await;
    let direct = cluster.url("postgres");
    run(&mut session(&direct).await, "create table note (n bigint)").await.unwrap();
    let proxy = Proxy::start(cluster.port(), Rng::with_seed(1)).await.unwrap();
    let through = proxy.url("postgres", "postgres");
    commits_are_cut_after_they_were_sent(&proxy, &through, &direct).await;
    appends_are_cut_outside_of_transactions(&proxy, &through, &direct).await;
    a_black_hole_holds_and_drops_or_goes_on(&proxy, &through).await;
    crumbs_make_whole_messages(&proxy, &through).await;
    all_are_cut(&proxy, &through).await;
    requests_to_cancel_pass(&through).await;
}

async fn commits_are_cut_after_they_were_sent(proxy: &Proxy, through: &str, direct: &str) {
    for n in 0..20 {
        let (mut one, mut other) = (session(through).await, session(through).await);
        proxy.cut_commits(1);
        // Nothing but a commit is cut.
        insert(&mut other, -1).await.unwrap();
        assert_eq!(proxy.cuts_left(), 1);
        assert!(committed(&mut one, n).await.is_err());
        committed(&mut other, -1).await.unwrap();
        let sql = format!("select count(*) from note where n = {n}");
        wait_until(PATIENCE, async || number(direct, &sql).await == 1).await;
    }
    assert_eq!((proxy.counts().commits_cut, proxy.cuts_left()), (20, 0));
    let mut by_tokio = tokio_session(through).await;
    proxy.cut_commits(1);
    let tx = by_tokio.0.transaction().await.unwrap();
    tx.execute("insert into note values (20)", &[]).await.unwrap();
    assert!(tx.commit().await.is_err());
    let sql = "select count(*) from note where n = 20";
    wait_until(PATIENCE, async || number(direct, sql).await == 1).await;
}

async fn tokio_session(url: &str) -> (tokio_postgres::Client, tokio::task::JoinSet<()>) {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    let mut driving = tokio::task::JoinSet::new();
    driving.spawn(async move { drop(connection.await) });
    (client, driving)
}

async fn appends_are_cut_outside_of_transactions(proxy: &Proxy, through: &str, direct: &str) {
    proxy.cut_appends(1);
    let mut one = session(through).await;
    run(&mut one, "select 1").await.unwrap();
    committed(&mut one, 100).await.unwrap();
    assert_eq!(proxy.cuts_left(), 1);
    assert!(insert(&mut one, 101).await.is_err());
    let sql = "select count(*) from note where n = 101";
    wait_until(PATIENCE, async || number(direct, sql).await == 1).await;
    let mut one = session(through).await;
    proxy.cut_answers(1);
    assert!(run(&mut one, "select 1").await.is_err());
    assert_eq!((proxy.counts().appends_cut, proxy.counts().answers_cut), (1, 1));
    proxy.cut_commits(3);
    proxy.spare();
    committed(&mut session(through).await, 102).await.unwrap();
}

async fn a_black_hole_holds_and_drops_or_goes_on(proxy: &Proxy, through: &str) {
    let time = Duration::from_millis(300);
    let (mut one, mut idle) = (session(through).await, session(through).await);
    let begun = Instant::now();
    proxy.blackhole(time, After::GoOn);
    run(&mut one, "select 1").await.unwrap();
    assert!(begun.elapsed() >= time);
    let begun = Instant::now();
    proxy.blackhole(time, After::Drop);
    assert!(run(&mut one, "select 1").await.is_err());
    assert!(begun.elapsed() >= time);
    // One that was silent is gone too; one that comes later is not.
    assert!(run(&mut idle, "select 1").await.is_err());
    run(&mut session(through).await, "select 1").await.unwrap();
    // What was asked before, and is answered within.
    let mut one = session(through).await;
    let asked = run(&mut one, "select pg_sleep(0.2)");
    let hole = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        proxy.blackhole(time, After::Drop);
    };
    assert!(tokio::join!(asked, hole).0.is_err());
    // Healed, it lets go of what it held.
    let mut one = session(through).await;
    proxy.blackhole(PATIENCE, After::Drop);
    let healing = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        proxy.heal();
    };
    let begun = Instant::now();
    tokio::join!(run(&mut one, "select 1"), healing).0.unwrap();
    assert!(begun.elapsed() < PATIENCE);
}

async fn crumbs_make_whole_messages(proxy: &Proxy, through: &str) {
    proxy.split(true);
    let mut one = session(through).await;
    for n in [1_usize, 100, 10_000, 1_000_000] {
        let text = "ü".repeat(n);
        let same: bool = sqlx::query_scalar("select $1 = repeat('ü', $2)")
            .bind(&text)
            .bind(i32::try_from(n).unwrap())
            .fetch_one(&mut one)
            .await
            .unwrap();
        assert!(same);
        let back: String =
            sqlx::query_scalar("select $1").bind(&text).fetch_one(&mut one).await.unwrap();
        assert_eq!(back, text);
    }
    proxy.cut_commits(1);
    assert!(committed(&mut one, 200).await.is_err());
    proxy.split(false);
    assert!(proxy.counts().pieces > 100);
}

async fn all_are_cut(proxy: &Proxy, through: &str) {
    let (mut one, mut other) = (session(through).await, session(through).await);
    proxy.cut_all();
    assert!(run(&mut one, "select 1").await.is_err());
    assert!(run(&mut other, "select 1").await.is_err());
    run(&mut session(through).await, "select 1").await.unwrap();
}

async fn requests_to_cancel_pass(through: &str) {
    let (client, _driving) = tokio_session(through).await;
    let token = client.cancel_token();
    let cancelling = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        token.cancel_query(tokio_postgres::NoTls).await.unwrap();
    };
    let (ended, ()) = tokio::join!(client.batch_execute("select pg_sleep(30)"), cancelling);
    assert_eq!(ended.unwrap_err().code().unwrap().code(), "57014");
}

#[tokio::test]
async fn a_server_that_is_away_ends_connections_at_once_and_may_come_back() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let proxy = Proxy::start(port, Rng::with_seed(1)).await.unwrap();
    let through = proxy.url("postgres", "postgres");
    let connected = tokio::time::timeout(PATIENCE, PgConnection::connect(&through)).await.unwrap();
    assert!(connected.is_err());
    assert_eq!(proxy.counts().refused, 1);
    // Somebody listens there again, and is reached.
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    let connecting = PgConnection::connect(&through);
    tokio::select! {
        _ = connecting => panic!("nobody answers"),
        accepted = listener.accept() => drop(accepted.unwrap()),
    }
}
