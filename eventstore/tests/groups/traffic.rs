//! Many tasks at once: what was acknowledged is there once, in few commits.

use std::collections::BTreeMap;

use foldlog_core::Expected::{Any, Exact, Exists, NoStream};
use foldlog_eventstore::{AppendError, EventStore, Request};
use futures_util::future::join_all;

use super::Grouped;
use crate::support::{noted, request};

const TASKS: u32 = 40;
const ROUNDS: u32 = 30;

/// Numbers, and where they were said to be.
type Acknowledged = BTreeMap<u32, (String, u64)>;

/// A request of a round, and the number of each of its streams' events.
fn drawn(rng: &mut fastrand::Rng, task: u32, round: u32, own: u64) -> (Request, Vec<u32>) {
    let n = (task * ROUNDS + round) * 3;
    let numbers = vec![n, n + 1, n + 2];
    let own_stream = format!("note-own{task}");
    let shared = format!("note-shared{}", rng.u32(..4));
    let other = format!("note-shared{}", rng.u32(4..8));
    let parts = match rng.u32(..6) {
        0 => vec![noted("note-hot", Any, n)],
        1 => vec![noted(&own_stream, Exact(own), n), noted("note-hot", Any, n + 1)],
        2 => vec![noted(&format!("note-{task}-{round}"), NoStream, n), noted(&shared, Any, n + 1)],
        3 => vec![
            noted("note-hot", Exists, n),
            noted(&other, Any, n + 1),
            noted(&shared, Any, n + 2),
        ],
        4 => vec![noted(&shared, Exact(rng.u64(..20)), n), noted(&other, Any, n + 1)],
        _ => vec![noted(&own_stream, Exact(own), n)],
    };
    (request(parts), numbers)
}

async fn write(store: &EventStore, task: u32) -> (Acknowledged, u32) {
    let mut rng = fastrand::Rng::with_seed(u64::from(task));
    let (mut kept, mut done, mut own) = (Acknowledged::new(), 0, 0);
    for round in 0..ROUNDS {
        let (request, numbers) = drawn(&mut rng, task, round, own);
        match store.append(&request).await {
            Ok(appended) => {
                assert!(!appended.repeated);
                done += 1;
                for (part, n) in appended.streams.iter().zip(numbers) {
                    let stream = part.stream.as_str().to_owned();
                    if stream == format!("note-own{task}") {
                        own = part.version;
                    }
                    kept.insert(n, (stream, part.version));
                }
            }
            Err(AppendError::Conflict { stream, expected, actual }) => {
                assert_ne!(expected, Exact(actual));
                assert!(stream.as_str().contains("shared") || expected == Exists, "{stream}");
            }
            Err(error) => panic!("{error}"),
        }
    }
    (kept, done)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_many_tasks_were_told_is_there_once_and_took_few_commits() {
    let group = Grouped::new().await;
    let tasks = (0..TASKS).map(|task| {
        let store = group.store.clone();
        tokio::spawn(async move { write(&store, task).await })
    });
    let (mut acknowledged, mut appends) = (Acknowledged::new(), 0);
    for task in join_all(tasks).await {
        let (kept, done) = task.unwrap();
        acknowledged.extend(kept);
        appends += done;
    }
    assert_eq!(group.numbers().await, acknowledged);
    let commits = group.commits().await;
    assert!(commits < i64::from(appends), "{commits} commits of {appends} appends");
    println!("{appends} appends in {commits} commits");
    let sql = "select deadlocks from pg_stat_database where datname = current_database()";
    assert_eq!(crate::support::number(&mut group.session().await, sql).await, 0);
}
