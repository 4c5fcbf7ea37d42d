//! Many writers at once, on hot and cold streams, in transactions of their own and of users, with
//! rollbacks, while readers follow.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use foldlog_core::Expected::Any;
use foldlog_core::{Position, RawEvent, Source};

use crate::support::{Bench, follow, noted, request, run};

const WRITERS: u32 = 16;
const ROUNDS: u32 = 60;

/// One writer's rounds; answers with the numbers that were committed.
async fn write(bench: &Bench, writer: u32) -> Vec<u32> {
    let mut session = bench.session().await;
    let mut kept = Vec::new();
    for round in 0..ROUNDS {
        let n = writer * 1_000_000 + round * 1_000;
        let hot = noted("note-hot", Any, n);
        let cold = noted(&format!("note-{writer}-{}", round % 7), Any, n + 1);
        match round % 4 {
            // Its own transaction, two streams.
            0 => {
                bench.store.append(&request([hot, cold])).await.unwrap();
                kept.extend([n, n + 1]);
            }
            // A user's transaction that wrote before, and appends twice.
            1 => {
                run(&mut session, "begin; insert into public.business values (1)").await;
                bench.store.append_in(&mut session, &request([cold])).await.unwrap();
                bench.store.append_in(&mut session, &request([hot])).await.unwrap();
                run(&mut session, "commit").await;
                kept.extend([n, n + 1]);
            }
            // One that thinks better of it, in whole or in part.
            2 => {
                run(&mut session, "begin; savepoint s").await;
                bench.store.append_in(&mut session, &request([cold])).await.unwrap();
                run(&mut session, "rollback to s").await;
                bench.store.append_in(&mut session, &request([hot])).await.unwrap();
                if round % 8 == 2 {
                    run(&mut session, "rollback").await;
                } else {
                    run(&mut session, "commit").await;
                    kept.push(n);
                }
            }
            _ => {
                bench.store.append(&request([cold])).await.unwrap();
                kept.push(n + 1);
            }
        }
    }
    kept
}

/// Follows until all writers are done and the end is reached.
async fn read(bench: &Bench, writing: &AtomicUsize) -> Vec<RawEvent> {
    let mut reader = bench.store.reader().await.unwrap();
    let (mut cursor, mut events) = (Position::START, Vec::new());
    loop {
        let done = writing.load(Ordering::SeqCst) == 0;
        let new = follow(&mut *reader, &mut cursor).await;
        if done && new.is_empty() {
            return events;
        }
        events.extend(new);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_load_nothing_is_lost_doubled_or_out_of_order() {
    let bench = Arc::new(Bench::new().await);
    run(&mut bench.session().await, "create table public.business (n int)").await;
    let writing = Arc::new(AtomicUsize::new(WRITERS as usize));
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let (bench, writing) = (bench.clone(), writing.clone());
            tokio::spawn(async move { read(&bench, &writing).await })
        })
        .collect();
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (bench, writing) = (bench.clone(), writing.clone());
            tokio::spawn(async move {
                let kept = write(&bench, writer).await;
                writing.fetch_sub(1, Ordering::SeqCst);
                kept
            })
        })
        .collect();
    let mut committed = BTreeSet::new();
    for writer in writers {
        committed.extend(writer.await.unwrap());
    }
    for reader in readers {
        let events = reader.await.unwrap();
        let numbers: Vec<u32> = events.iter().map(|e| e.payload.get().parse().unwrap()).collect();
        assert_eq!(numbers.len(), committed.len(), "nothing is doubled, nothing lost");
        assert_eq!(numbers.into_iter().collect::<BTreeSet<_>>(), committed);
        let rising = |pair: &[RawEvent]| pair[0].position() < pair[1].position();
        assert!(events.windows(2).all(rising), "positions rise");
        let mut versions: BTreeMap<&str, u64> = BTreeMap::new();
        for event in &events {
            let version = versions.entry(event.stream.as_str()).or_default();
            *version += 1;
            assert_eq!(event.version, *version, "stream {}", event.stream);
        }
    }
    let mut session = bench.session().await;
    let deadlocks = "select deadlocks from pg_stat_database where datname = current_database()";
    let deadlocks = crate::support::number(&mut session, deadlocks).await;
    assert_eq!(deadlocks, 0);
}
