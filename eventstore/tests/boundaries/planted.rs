//! Bugs put in on purpose: the checker of random traffic counts only because it catches them. Each by
//! a schedule that needs it, so that it is caught every time; the traffic meets them in a minute.

use foldlog_core::Expected;
use foldlog_eventstore::{AppendError, EventStore, StreamEvents};

use super::random::{findings, queries};
use super::{append_in, on, read, tag};
use crate::support::{Bench, event, name, request, run};

/// A text of a function of the migrations, and what stands there instead.
pub(super) struct Bug {
    pub(super) function: &'static str,
    pub(super) from: &'static str,
    pub(super) to: &'static str,
}

impl Bug {
    pub(super) async fn plant(&self, bench: &Bench) {
        let head = format!("create function foldlog.{}(", self.function);
        let migrations = EventStore::SETS.iter().flat_map(|set| set.migrations);
        let sql = migrations.map(|migration| migration.sql).find(|sql| sql.contains(&head));
        let (_, rest) = sql.unwrap().split_once(&head).unwrap();
        let (body, _) = rest.split_once("\n\n--").unwrap();
        assert!(body.contains(self.from), "{} has changed", self.function);
        let body = body.replace(self.from, self.to);
        let sql = format!("create or replace function foldlog.{}({body}", self.function);
        let mut session = bench.session().await;
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut session).await.unwrap();
    }
}

fn telling(kind: &'static str, json: &str, tags: &[&str]) -> StreamEvents {
    let mut event = event(kind, json);
    event.tags = tags.iter().map(|text| tag(text)).collect();
    StreamEvents::raw(name(&format!("note-{kind}_{}", tags.len())), Expected::Any, vec![event])
}

/// A decision on a query, while an append that matches it is open: it is committed before the decision
/// is appended, or after.
async fn decided(bug: Option<Bug>, asked: usize, tags: &[&str], commits_first: bool) -> usize {
    let bench = Bench::new().await;
    if let Some(bug) = &bug {
        bug.plant(&bench).await;
    }
    let mut open = bench.begun().await;
    append_in(&bench, &mut open, &request([telling("Closed", "null", tags)])).await.unwrap();
    bench.store.append(&request([telling("Noted", "null", &["seat:1", "x:1"])])).await.unwrap();
    let (seen, condition) = read(&bench.store, &queries()[asked]).await;
    let json = format!("[{asked},{}]", seen.len());
    if commits_first {
        run(&mut open, "commit").await;
    }
    let mut judge = bench.begun().await;
    run(&mut judge, "set local lock_timeout = '200ms'").await;
    let decision = on(&condition, [telling("Noted", &json, &[])]);
    let result = append_in(&bench, &mut judge, &decision).await;
    run(&mut judge, "commit").await;
    if !commits_first {
        run(&mut open, "commit").await;
    }
    match (&bug, result) {
        (Some(_), Ok(_))
        | (None, Err(AppendError::ConditionFailed { .. } | AppendError::BoundaryBusy { .. })) => {}
        (_, result) => panic!("{result:?}"),
    }
    findings(&bench, &queries()).await.len()
}

#[tokio::test]
async fn a_lock_that_is_forgotten_for_a_query_without_tags_is_found() {
    let (from, to) =
        ("i.request = any (live)\n", "i.request = any (live) and i.tags is not null\n");
    let bug = Bug { function: "append_guard", from, to };
    assert_eq!(decided(Some(bug), 7, &["x:1"], false).await, 1);
    assert_eq!(decided(None, 7, &["x:1"], false).await, 0);
}

#[tokio::test]
async fn a_condition_that_is_judged_under_a_shared_lock_is_found() {
    let (from, to) = ("            true, i.request\n", "            false, i.request\n");
    let bug = Bug { function: "append_guard", from, to };
    assert_eq!(decided(Some(bug), 0, &["seat:0"], false).await, 1);
    assert_eq!(decided(None, 0, &["seat:0"], false).await, 0);
}

#[tokio::test]
async fn a_condition_that_knows_only_the_highest_position_seen_is_found() {
    let to = "position > greatest(i.after, (select max(p) from unnest(i.seen) p))";
    let bug = Bug { function: "item_failures", from: "position > i.after", to };
    assert_eq!(decided(Some(bug), 3, &["seat:0"], true).await, 1);
    assert_eq!(decided(None, 3, &["seat:0"], true).await, 0);
}
