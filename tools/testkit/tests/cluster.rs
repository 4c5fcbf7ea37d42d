//! Clusters that are stopped, killed, copied and replicated.

use std::time::Duration;

use foldlog_testkit::{Cluster, wait_until};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

const PATIENCE: Duration = Duration::from_secs(30);

async fn session(cluster: &Cluster) -> PgConnection {
    PgConnection::connect(&cluster.url("postgres")).await.unwrap()
}

async fn run(session: &mut PgConnection, sql: &'static str) {
    sqlx::raw_sql(sql).execute(session).await.unwrap_or_else(|e| panic!("{e} in: {sql}"));
}

async fn number(session: &mut PgConnection, sql: &str) -> i64 {
    sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(session).await.unwrap()
}

async fn text(session: &mut PgConnection, sql: &str) -> String {
    sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(session).await.unwrap()
}

#[tokio::test]
async fn what_was_committed_survives_every_kill_and_nothing_else_does() {
    let mut cluster = Cluster::make(&[("work_mem", "5MB")]).await;
    cluster.start().await;
    let url = cluster.url("postgres");
    run(&mut session(&cluster).await, "create table kept (n bigint)").await;
    for kill in 1..=5 {
        let (mut committing, mut open) = (session(&cluster).await, session(&cluster).await);
        run(&mut open, "begin; insert into kept values (1000)").await;
        // A backend that looks at nothing for a while does not notice that its server is gone.
        let mut busy = session(&cluster).await;
        let busy = tokio::spawn(async move {
            let loops = "do $$ begin loop end loop; end $$";
            sqlx::raw_sql(loops).execute(&mut busy).await.is_err()
        });
        run(&mut committing, "insert into kept values (1)").await;
        let pid = cluster.pid().unwrap();
        cluster.kill().await;
        assert!(!cluster.is_running() && cluster.pid().is_none());
        assert!(busy.await.unwrap(), "its session ended with it");
        assert!(PgConnection::connect(&url).await.is_err());
        cluster.start().await;
        assert_ne!(cluster.pid().unwrap(), pid);
        let mut after = session(&cluster).await;
        assert_eq!(number(&mut after, "select sum(n)::bigint from kept").await, kill);
    }
    let mut after = session(&cluster).await;
    for (name, value) in [("fsync", "on"), ("synchronous_commit", "on"), ("work_mem", "5MB")] {
        assert_eq!(text(&mut after, &format!("show {name}")).await, value);
    }
}

#[tokio::test]
async fn a_copy_has_the_data_and_an_address_of_its_own_and_can_follow_as_a_standby() {
    let mut primary = Cluster::make(&[]).await;
    primary.start().await;
    run(&mut session(&primary).await, "create table kept (n bigint); insert into kept values (1)")
        .await;
    primary.stop().await;
    primary.stop().await;
    let mut standby = primary.copy().await;
    standby.standby_of(&primary);
    primary.start().await;
    standby.start().await;
    assert_ne!(primary.port(), standby.port());
    run(&mut session(&primary).await, "insert into kept values (2)").await;
    let mut following = session(&standby).await;
    wait_until(PATIENCE, async || {
        number(&mut following, "select sum(n)::bigint from kept where pg_is_in_recovery()").await
            == 3
    })
    .await;
    let data = primary.data();
    drop(primary);
    assert!(!data.exists());
    run(&mut following, "select pg_promote()").await;
    run(&mut following, "insert into kept values (4)").await;
    assert_eq!(number(&mut following, "select sum(n)::bigint from kept").await, 7);
}

#[tokio::test]
async fn a_setting_takes_effect_at_a_reload() {
    let mut cluster = Cluster::make(&[]).await;
    cluster.start().await;
    let mut session = session(&cluster).await;
    cluster.set("work_mem", "7MB");
    cluster.reload();
    wait_until(PATIENCE, async || text(&mut session, "show work_mem").await == "7MB").await;
}

#[tokio::test]
#[should_panic(expected = "no_such_setting")]
async fn a_server_that_can_not_start_says_why_at_once() {
    Cluster::make(&[("no_such_setting", "1")]).await.start().await;
}

#[tokio::test]
async fn a_server_that_ended_by_itself_is_not_running_and_starts_again() {
    let mut cluster = Cluster::make(&[]).await;
    cluster.start().await;
    let pid = rustix::process::Pid::from_raw(cluster.pid().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    wait_until(PATIENCE, async || !cluster.is_running()).await;
    cluster.start().await;
    run(&mut session(&cluster).await, "select 1").await;
}
