//! The example that imports from cqrs-es, killed on the way: the same end as in one run.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use foldlog_testkit::{TestDatabase, server, wait_until};
use sqlx::AssertSqlSafe;

const KILLS: i64 = 4;
const EVENTS: i64 = 12_000;

/// As postgres-es creates it, with accounts whose events took turns, a second apart.
const SOURCE: &str = r#"create table events (
    aggregate_type text not null,
    aggregate_id text not null,
    sequence bigint check (sequence >= 0) not null,
    event_type text not null,
    event_version text not null,
    payload json not null,
    metadata json not null,
    primary key (aggregate_type, aggregate_id, sequence));
insert into events
select 'account', 'acc-' || a, v,
    case v when 1 then 'AccountOpened' else 'CustomerDepositedMoney' end, '1.0',
    case v when 1 then json_build_object('AccountOpened', json_build_object('account_id', 'acc-' || a))
        else json_build_object('CustomerDepositedMoney',
            json_build_object('amount', a + 0.25, 'balance', (v - 1) * (a + 0.25))) end,
    json_build_object('time', to_char(timestamp '2024-01-01' + make_interval(secs => v * 300 + a),
        'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 'client', 'counter')
from generate_series(1, 300) a, generate_series(1, 40) v"#;

/// How many events of the table are not in the store as they should be, or out of order.
const DIFFERENT: &str = r"select count(*) from (
        select *, (row_number() over (order by (metadata ->> 'time')::timestamptz, aggregate_id))
            as place
        from events) x
    full join (
        select s.name, e.*, row_number() over (order by e.position) as place
        from foldlog.event e join foldlog.stream s on s.id = e.stream_id) e
    on e.name = 'account-' || x.aggregate_id and e.version = x.sequence
    where e.name is null or x.aggregate_id is null or e.place <> x.place
        or e.recorded_at <> (x.metadata ->> 'time')::timestamptz
        or e.payload::text <> (x.payload -> x.event_type)::text
        or e.metadata -> 'user' ->> 'client' <> 'counter'";

fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| crate::examples::built("import_cqrs_es"))
}

fn example(database: &TestDatabase, more: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.env("DATABASE_URL", database.url()).args(["--order-by=time", "--batch=250"]).args(more);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn text(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!("{}{}", String::from_utf8_lossy(out), String::from_utf8_lossy(err))
}

async fn number(database: &TestDatabase, sql: &str) -> i64 {
    let number = sqlx::query_scalar(AssertSqlSafe(sql.to_owned()));
    number.fetch_one(database.pool()).await.unwrap()
}

#[tokio::test]
async fn an_import_killed_on_the_way_comes_to_the_same_end() {
    let database = server().await.database().await;
    sqlx::raw_sql(SOURCE).execute(database.pool()).await.unwrap();
    let rehearsed = example(&database, &["--dry-run"]).output().unwrap();
    assert!(rehearsed.status.success(), "{}", text(&rehearsed));
    assert!(text(&rehearsed).contains("nothing is in the way; 100 streams folded"));
    let stored = "select count(*) from foldlog.event";
    assert_eq!(number(&database, stored).await, 0);

    for kill in 1..=KILLS {
        let mut child = example(&database, &[]).stderr(Stdio::null()).spawn().unwrap();
        let enough = kill * EVENTS / (KILLS + 2);
        let reached = async || number(&database, stored).await >= enough;
        wait_until(Duration::from_secs(120), reached).await;
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(number(&database, stored).await % 250, 0, "whole batches");
    }
    let end = example(&database, &["--verify=300"]).output().unwrap();
    assert!(end.status.success(), "{}", text(&end));
    assert!(text(&end).contains("300 streams folded and compared"), "{}", text(&end));
    assert_eq!(number(&database, stored).await, EVENTS);
    assert_eq!(number(&database, DIFFERENT).await, 0);
}

#[tokio::test]
async fn what_is_in_the_way_fails_the_example_with_its_remedy() {
    let database = server().await.database().await;
    sqlx::raw_sql(SOURCE).execute(database.pool()).await.unwrap();
    let gap = "delete from events where aggregate_id = 'acc-7' and sequence = 3";
    sqlx::raw_sql(gap).execute(database.pool()).await.unwrap();
    for more in [&["--dry-run"][..], &[]] {
        let output = example(&database, more).output().unwrap();
        assert!(!output.status.success());
        assert!(text(&output).contains("event 4 of account acc-7, after 2"), "{}", text(&output));
    }
    assert_eq!(number(&database, "select count(*) from foldlog.event").await, 0);
}
