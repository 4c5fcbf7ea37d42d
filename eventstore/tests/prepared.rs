//! Prepared transactions over a crash: they outlive every session, and so do their bounds.

use foldlog_core::{Expected, Source};
use foldlog_pg::settled;
use foldlog_testkit::Cluster;

use crate::readers::{Follower, Recipe};
use crate::support::{Bench, run};

/// A prepared append and a later one that is committed, both before a crash.
async fn crashed() -> Bench<Cluster> {
    let mut bench = Bench::alone(&[]).await;
    let mut session = bench.begun().await;
    bench.append_in(&mut session, "note-prepared").await;
    run(&mut session, "prepare transaction 'left behind'").await;
    bench.append("note-before", Expected::Any, 1).await;
    bench.crash().await;
    bench.append("note-after", Expected::Any, 1).await;
    bench
}

#[tokio::test]
async fn a_prepared_append_is_still_waited_for_after_a_crash() {
    let mut bench = crashed().await;
    for _ in 0..2 {
        let mut reader = Follower::new(&bench, Recipe::Ours).await;
        assert!(reader.poll().await.is_empty());
        let mut session = bench.session().await;
        let holder = settled::holder(&mut session, settled::EVENT_LOG).await.unwrap().unwrap();
        assert_eq!((holder.pid, holder.gid.as_deref()), (None, Some("left behind")));
        let words = bench.store.blocker().await.unwrap().unwrap();
        assert!(words.contains("left behind"), "{words}");
        // Once more: from its file now, where it was from the log before.
        run(&mut session, "checkpoint").await;
        bench.crash().await;
    }
    let mut reader = Follower::new(&bench, Recipe::Ours).await;
    run(&mut bench.session().await, "commit prepared 'left behind'").await;
    assert_eq!(reader.poll().await, ["note-prepared@1", "note-before@1", "note-after@1"]);
    assert!(bench.store.blocker().await.unwrap().is_none());
}

#[tokio::test]
async fn a_prepared_append_that_is_rolled_back_after_a_crash_frees_the_readers() {
    let bench = crashed().await;
    let mut reader = Follower::new(&bench, Recipe::Ours).await;
    let mut plain = Follower::new(&bench, Recipe::Plain).await;
    assert!(reader.poll().await.is_empty());
    assert_eq!(plain.poll().await, ["note-before@1", "note-after@1"], "the schedule bites");
    run(&mut bench.session().await, "rollback prepared 'left behind'").await;
    assert_eq!(reader.poll().await, ["note-before@1", "note-after@1"]);
    bench.append("note-prepared", Expected::NoStream, 1).await;
    assert_eq!(reader.poll().await, ["note-prepared@1"]);
}
