//! Subscriptions: they catch up, follow, and survive what happens to them.

use std::time::Duration;

use foldlog_core::Expected::Any;
use foldlog_core::Filter;
use foldlog_eventstore::{EventStore, Subscription};
use sqlx::Row;
use sqlx::postgres::PgListener;
use tokio_util::sync::CancellationToken;

use crate::support::{Bench, Note, PATIENCE, label, noted, noted_many, request, run};

/// Takes events until there are so many.
async fn take(subscription: &mut Subscription, count: usize) -> Vec<String> {
    let mut labels = Vec::new();
    while labels.len() < count {
        let page = tokio::time::timeout(PATIENCE, subscription.next()).await.unwrap().unwrap();
        labels.extend(page.events.iter().map(label));
    }
    labels
}

fn labels(stream: &str, versions: std::ops::RangeInclusive<u32>) -> Vec<String> {
    versions.map(|n| format!("{stream}@{n}")).collect()
}

#[tokio::test]
async fn a_subscription_catches_up_and_then_follows() {
    let bench = Bench::new().await;
    for _ in 0..3 {
        bench.store.append(&request([noted_many("note-a", Any, 1, 700)])).await.unwrap();
    }
    let mut subscription = bench.store.subscribe(Filter::all());
    assert_eq!(take(&mut subscription, 2_100).await, labels("note-a", 1..=2_100));
    let store = bench.store.clone();
    let appending = tokio::spawn(async move {
        for n in 0..20 {
            store.append(&request([noted("note-b", Any, n)])).await.unwrap();
        }
    });
    assert_eq!(take(&mut subscription, 20).await, labels("note-b", 1..=20));
    appending.await.unwrap();
    // Another begins behind a token.
    let token = bench.append("note-c", Any, 1).await.token;
    let mut later = bench.store.subscribe(Filter::all()).after(&token).unwrap();
    bench.append("note-c", Any, 2).await;
    assert_eq!(take(&mut later, 1).await, ["note-c@2"]);
}

#[tokio::test]
async fn futures_that_are_dropped_lose_and_double_nothing() {
    let bench = Bench::new().await;
    let mut subscription = bench.store.subscribe(Filter::all());
    let (mut seen, mut appended) = (Vec::new(), 0);
    // Dropped after ever more polls: before, in and after each of its waits.
    for polls in 0..60 {
        if polls % 3 == 0 {
            bench.append("note-a", Any, polls).await;
            appended += 1;
        }
        let next = polled(subscription.next(), polls % 20).await;
        if let Some(page) = next {
            seen.extend(page.unwrap().events.iter().map(label));
        }
    }
    if seen.len() < appended {
        let missing = appended - seen.len();
        seen.extend(take(&mut subscription, missing).await);
    }
    assert_eq!(seen, labels("note-a", 1..=20));
}

/// The future's answer, if it has one within so many polls.
async fn polled<T>(future: impl Future<Output = T>, polls: u32) -> Option<T> {
    let mut future = std::pin::pin!(future);
    for _ in 0..polls {
        let once = std::future::poll_fn(|cx| std::task::Poll::Ready(future.as_mut().poll(cx)));
        if let std::task::Poll::Ready(answer) = once.await {
            return Some(answer);
        }
        // Lets the connection make some progress in between.
        tokio::time::sleep(Duration::from_micros(300)).await;
    }
    None
}

#[tokio::test]
async fn a_subscription_whose_session_is_killed_goes_on_where_it_was() {
    let bench = Bench::new().await;
    let mut subscription = bench.store.subscribe(Filter::all());
    let mut session = bench.session().await;
    for n in 1..=5 {
        bench.append("note-a", Any, n).await;
        let next = tokio::time::timeout(PATIENCE, subscription.next()).await.unwrap().unwrap();
        assert_eq!(next.events.iter().map(label).collect::<Vec<_>>(), [format!("note-a@{n}")]);
        let killed = "select pg_terminate_backend(pid, 20000) from pg_stat_activity
            where datname = current_database() and application_name = 'foldlog reader'";
        assert!(sqlx::query(killed).fetch_one(&mut session).await.unwrap().get::<bool, _>(0));
        let error = tokio::time::timeout(PATIENCE, subscription.next()).await.unwrap().unwrap_err();
        assert!(error.is_retryable(), "{error}");
    }
    bench.append("note-b", Any, 1).await;
    assert_eq!(take(&mut subscription, 1).await, ["note-b@1"]);
}

#[tokio::test]
async fn a_subscription_to_a_type_decodes_and_repeats_what_it_could_not() {
    let bench = Bench::new().await;
    bench.append("note-a", Any, 5).await;
    bench.store.append(&request([crate::support::noted("other-a", Any, 1)])).await.unwrap();
    let mut subscription = bench.store.subscribe_to::<Note>().unwrap();
    let events = subscription.next_typed::<Note>().await.unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!((&events[0].event, events[0].stream.as_str()), (&Note::Noted(5), "a"));
    // A payload that is no number: the page is delivered again, as long as it is asked for.
    let broken = vec![crate::support::event("Noted", "\"five\"")];
    let name = crate::support::name("note-b");
    let parts = [foldlog_eventstore::StreamEvents::raw(name, Any, broken)];
    bench.append("note-a", Any, 6).await;
    bench.store.append(&request(parts)).await.unwrap();
    for _ in 0..2 {
        let error = subscription.next_typed::<Note>().await.unwrap_err();
        assert_eq!(error.kind(), foldlog_core::ErrorKind::Decode);
        assert!(error.to_string().contains("note-b"), "{error}");
    }
    assert_eq!(take(&mut subscription, 2).await, ["note-a@2", "note-b@1"]);
}

#[tokio::test]
async fn an_append_notifies_other_processes_and_never_from_its_own_transaction() {
    let bench = Bench::new().await;
    let mut listener = PgListener::connect(bench.database.url()).await.unwrap();
    listener.listen("foldlog_event").await.unwrap();
    let shutdown = CancellationToken::new();
    let running = {
        let (store, shutdown) = (bench.store.clone(), shutdown.clone());
        tokio::spawn(async move { store.run(shutdown).await })
    };
    bench.append("note-a", Any, 1).await;
    tokio::time::timeout(PATIENCE, listener.recv()).await.unwrap().unwrap();
    // An append in a user's transaction is told of when the user says so.
    let mut tx = bench.begun().await;
    bench.append_in(&mut tx, "note-a").await;
    run(&mut tx, "commit").await;
    bench.store.appended();
    tokio::time::timeout(PATIENCE, listener.recv()).await.unwrap().unwrap();
    shutdown.cancel();
    tokio::time::timeout(PATIENCE, running).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn an_append_of_another_process_reaches_a_follower() {
    let bench = Bench::new().await;
    let other = EventStore::open(&bench.database.db()).await.unwrap();
    let shutdown = CancellationToken::new();
    let running: Vec<_> = [&bench.store, &other]
        .map(|store| {
            let (store, shutdown) = (store.clone(), shutdown.clone());
            tokio::spawn(async move { store.run(shutdown).await })
        })
        .into();
    let mut subscription = other.subscribe(Filter::all());
    for n in 1..=5 {
        bench.append("note-a", Any, n).await;
        assert_eq!(take(&mut subscription, 1).await, [format!("note-a@{n}")]);
    }
    shutdown.cancel();
    for run in running {
        tokio::time::timeout(PATIENCE, run).await.unwrap().unwrap().unwrap();
    }
}
