//! More than a line takes at once: it is waited for, and all are answered.

use foldlog_core::Expected::{Any, NoStream};
use foldlog_eventstore::{Request, StreamEvents};
use futures_util::future::join_all;

use super::{Grouped, one};
use crate::support::{Bench, event, name, noted, request};

/// Nearly as much as an append may hold.
fn large(stream: &str) -> Request {
    let text = format!("\"{}\"", "x".repeat((1 << 20) - 100));
    let events = (0..15).map(|_| event("Noted", &text)).collect();
    request([StreamEvents::raw(name(stream), NoStream, events)])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_appends_at_once_are_all_answered() {
    let group = Grouped::new().await;
    let all = (0..6_000).map(|n| group.appending(one(&format!("note-{}", n % 300), Any, n)));
    for appended in join_all(all.collect::<Vec<_>>()).await {
        appended.unwrap().unwrap();
    }
    assert_eq!(group.numbers().await.len(), 6_000);
    let commits = group.commits().await;
    assert!(commits < 1_000, "{commits} commits");
}

#[tokio::test]
async fn appends_of_many_megabytes_pass_beside_small_ones() {
    let group = Grouped::new().await;
    // Together they are more than may be on its way.
    let all = (0..120).map(|n| match n % 20 {
        7 => large(&format!("note-large{n}")),
        _ => one(&format!("note-small{}", n % 20), Any, n),
    });
    for result in group.gathered(all.collect::<Vec<_>>()).await {
        let appended = result.0.unwrap();
        assert!(!appended.repeated);
    }
    assert_eq!(group.stream("note-large107").await.len(), 15);
    assert_eq!(group.stream("note-small8").await.len(), 6);
}

#[tokio::test]
async fn a_server_with_few_locks_takes_a_group_in_parts() {
    let few = [("max_locks_per_transaction", "10"), ("max_connections", "20")];
    let few = [few[0], few[1], ("max_prepared_transactions", "0")];
    let group = Grouped::on(Bench::alone(&few).await).await;
    // Each needs a lock for its id, and one to make each of its streams.
    let all = (0..900).map(|n| {
        let empty = ["a", "b", "c"].map(|part| format!("note-{n}{part}"));
        let empty = empty.iter().map(|stream| StreamEvents::raw(name(stream), Any, Vec::new()));
        request([noted(&format!("note-{n}"), Any, n)].into_iter().chain(empty))
    });
    for result in group.gathered(all.collect::<Vec<_>>()).await {
        assert_eq!(result.version(), 1);
    }
    assert_eq!(group.numbers().await.len(), 900);
}
