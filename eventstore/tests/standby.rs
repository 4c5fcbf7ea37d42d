//! Standbys: what can't be read there is refused, and a promotion loses nothing that came over.

use foldlog_core::{ErrorKind, Expected, Filter, Position, Source};
use foldlog_eventstore::StreamEvents;
use foldlog_pg::{Db, Endpoint, Variables};
use foldlog_testkit::{Cluster, wait_until};
use sqlx::{Connection, PgConnection};

use crate::clusters::open;
use crate::readers::{Follower, Recipe};
use crate::support::{
    Bench, PATIENCE, event, follow, label, name, noted, noted_many, number, refused, request, run,
    text,
};

async fn raw(cluster: &Cluster) -> PgConnection {
    PgConnection::connect(&cluster.url("postgres")).await.unwrap()
}

/// Waits until the standby shows all that the primary has committed.
async fn caught_up(bench: &Bench<Cluster>, standby: &Cluster) {
    let now = text(&mut bench.session().await, "select pg_current_wal_flush_lsn()::text").await;
    let mut session = raw(standby).await;
    wait_until(PATIENCE, async || {
        sqlx::query_scalar("select pg_last_wal_replay_lsn() >= $1::pg_lsn")
            .bind(&now)
            .fetch_one(&mut session)
            .await
            .unwrap()
    })
    .await;
}

/// Takes the standby off the primary; it gets nothing that is committed from now on.
async fn cut_off(bench: &Bench<Cluster>, standby: &mut Cluster) {
    standby.set("primary_conninfo", "");
    standby.reload();
    let mut session = bench.session().await;
    let senders = "select count(*) from pg_stat_replication";
    wait_until(PATIENCE, async || number(&mut session, senders).await == 0).await;
}

const PROMOTE: &str = "select pg_promote()";

#[tokio::test]
async fn the_settled_order_is_refused_on_a_standby_and_a_stream_is_as_far_as_it_came() {
    let (bench, mut standby) = Bench::followed().await;
    bench.append("note-a", Expected::NoStream, 1).await;
    // On the primary it is open; the standby has its row's absence and none of its locks.
    let mut open_append = bench.begun().await;
    bench.append_in(&mut open_append, "note-open").await;
    bench.append("note-b", Expected::NoStream, 1).await;
    caught_up(&bench, &standby).await;
    cut_off(&bench, &mut standby).await;
    bench.append("note-a", Expected::Exact(1), 2).await;
    let mut session = raw(&standby).await;
    for sql in [
        "select foldlog.settled_1(0, 0)",
        "select * from foldlog.read_all_1(0, 10, 1000000, 1, 0, '{}', '{}')",
    ] {
        assert_eq!(refused(&mut session, sql).await, "FL002");
    }
    // Why: there is no lock to wait for.
    let held = "select count(*) from pg_locks where locktype = 'advisory'";
    assert_eq!(number(&mut session, held).await, 0);
    let seen = "select count(*) from foldlog.event where position > 1";
    assert_eq!(number(&mut session, seen).await, 1, "a plain reader would pass over position 2");
    let stream = "select version from foldlog.read_stream_1('', 'note-a', 0, 0, 10, 4000000, false)
        where event_id is null";
    assert_eq!(number(&mut session, stream).await, 1, "as far as it came, and it says so");
    let append = "select foldlog.bound_1(0)";
    assert_eq!(refused(&mut session, append).await, "25006");
    let error = Db::open(standby.endpoint("postgres"), None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Setup);
    assert!(error.to_string().contains("standby"), "{error}");
}

#[tokio::test]
async fn after_a_promotion_readers_err_and_new_ones_miss_nothing_that_was_replicated() {
    let (mut bench, mut standby) = Bench::followed().await;
    let mut reader = bench.store.reader().await.unwrap();
    let mut cursor = Position::START;
    let many = request([noted_many("note-a", Expected::Any, 1, 5)]);
    bench.store.append(&many).await.unwrap();
    assert_eq!(follow(&mut *reader, &mut cursor).await.len(), 5);
    bench.append("note-b", Expected::Any, 1).await;
    // Open at the end of the primary: it never comes to be.
    let mut lost = bench.begun().await;
    bench.append_in(&mut lost, "note-lost").await;
    let mut session = bench.begun().await;
    bench.append_in(&mut session, "note-prepared").await;
    run(&mut session, "prepare transaction 'moved'").await;
    bench.append("note-c", Expected::Any, 1).await;
    caught_up(&bench, &standby).await;
    let mut before = raw(&standby).await;
    bench.database.kill().await;
    run(&mut before, PROMOTE).await;
    for _ in 0..3 {
        let error = reader.page(&Filter::all(), cursor, 10).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    }
    assert!(lost.ping().await.is_err());
    // A session from before the promotion reads on with the locks that came over.
    let settled = "select foldlog.settled_1(0, 0)";
    assert_eq!(number(&mut before, settled).await, 7, "behind the prepared append");
    let store = open(standby.endpoint("postgres")).await;
    let mut reader = store.reader().await.unwrap();
    let seen = follow(&mut *reader, &mut cursor).await;
    assert_eq!(seen.iter().map(label).collect::<Vec<_>>(), ["note-b@1"]);
    assert!(store.blocker().await.unwrap().unwrap().contains("moved"));
    run(&mut before, "commit prepared 'moved'").await;
    store.append(&request([noted("note-lost", Expected::NoStream, 1)])).await.unwrap();
    store.append(&request([noted("note-a", Expected::Exact(5), 6)])).await.unwrap();
    let seen = follow(&mut *reader, &mut cursor).await;
    let seen: Vec<_> = seen.iter().map(label).collect();
    assert_eq!(seen, ["note-prepared@1", "note-c@1", "note-lost@1", "note-a@6"]);
    standby.stop().await;
}

#[tokio::test]
async fn a_store_that_names_both_hosts_goes_on_at_the_promoted_standby() {
    let (mut bench, standby) = Bench::followed().await;
    let (one, other) = (bench.database.port(), standby.port());
    let url = format!("postgres://postgres@127.0.0.1:{one},127.0.0.1:{other}/postgres");
    bench.store = open(Endpoint::parse(&url, &Variables::none()).unwrap()).await;
    let mut subscription = bench.store.subscribe(Filter::all());
    bench.append("note-a", Expected::NoStream, 1).await;
    assert_eq!(subscription.next().await.unwrap().events.len(), 1);
    bench.append("note-a", Expected::Exact(1), 2).await;
    caught_up(&bench, &standby).await;
    let mut promoting = raw(&standby).await;
    bench.database.kill().await;
    run(&mut promoting, PROMOTE).await;
    // The subscription's session is gone: it says so once, and goes on with a new one.
    let error = subscription.next().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    let page = subscription.next().await.unwrap();
    assert_eq!(page.events.iter().map(label).collect::<Vec<_>>(), ["note-a@2"]);
    bench.append("note-a", Expected::Exact(2), 3).await;
    let page = subscription.next().await.unwrap();
    assert_eq!(page.events.iter().map(label).collect::<Vec<_>>(), ["note-a@3"]);
}

#[tokio::test]
async fn an_append_alone_finds_the_promoted_standby() {
    let (mut bench, standby) = Bench::followed().await;
    let (one, other) = (bench.database.port(), standby.port());
    let url = format!("postgres://postgres@127.0.0.1:{one},127.0.0.1:{other}/postgres");
    bench.store = open(Endpoint::parse(&url, &Variables::none()).unwrap()).await;
    bench.append("note-a", Expected::NoStream, 1).await;
    caught_up(&bench, &standby).await;
    let mut promoting = raw(&standby).await;
    bench.database.kill().await;
    run(&mut promoting, PROMOTE).await;
    bench.append("note-a", Expected::Exact(1), 2).await;
    assert_eq!(bench.stream("note-a").await.len(), 2);
}

#[tokio::test]
async fn a_cursor_beyond_what_was_replicated_is_refused_after_the_promotion() {
    let (mut bench, mut standby) = Bench::followed().await;
    bench.append("note-a", Expected::Any, 1).await;
    caught_up(&bench, &standby).await;
    cut_off(&bench, &mut standby).await;
    let mut reader = Follower::new(&bench, Recipe::Ours).await;
    // More than a sequence is logged ahead by.
    let lost = bench.store.append(&request([noted_many("note-b", Expected::Any, 1, 80)])).await;
    assert_eq!(reader.poll().await.len(), 81);
    let cursor = lost.unwrap().token.position();
    bench.database.kill().await;
    run(&mut raw(&standby).await, PROMOTE).await;
    let store = open(standby.endpoint("postgres")).await;
    let mut reader = store.reader().await.unwrap();
    let error = reader.page(&Filter::all(), cursor, 10).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Foreign, "{error}");
    // From a place that was replicated it goes on.
    store.append(&request([noted("note-a", Expected::Exact(1), 2)])).await.unwrap();
    let seen = follow(&mut *reader, &mut Position::new(1)).await;
    assert_eq!(seen.iter().map(label).collect::<Vec<_>>(), ["note-a@2"]);
}

#[tokio::test]
async fn a_type_that_was_lost_in_a_failover_is_made_again_and_never_taken_for_another() {
    let (mut bench, mut standby) = Bench::followed().await;
    let (one, other) = (bench.database.port(), standby.port());
    let url = format!("postgres://postgres@127.0.0.1:{one},127.0.0.1:{other}/postgres");
    bench.store = open(Endpoint::parse(&url, &Variables::none()).unwrap()).await;
    // Behind it an id that the standby does not hear of would be counted again there.
    run(&mut bench.session().await, "checkpoint").await;
    caught_up(&bench, &standby).await;
    cut_off(&bench, &mut standby).await;
    let kinds = |stream: &str, kind| {
        request([StreamEvents::raw(name(stream), Expected::Any, vec![event(kind, "1")])])
    };
    bench.store.append(&kinds("note-a", "Lost")).await.unwrap();
    bench.store.append(&kinds("memo-a", "Gone")).await.unwrap();
    bench.database.kill().await;
    run(&mut raw(&standby).await, PROMOTE).await;
    let stranger = open(standby.endpoint("postgres")).await;
    stranger.append(&kinds("note-b", "Other")).await.unwrap();
    // This process remembers ids of the server that is gone.
    bench.store.append(&kinds("note-a", "Lost")).await.unwrap();
    bench.store.append(&kinds("memo-a", "Gone")).await.unwrap();
    for store in [&stranger, &bench.store, &open(standby.endpoint("postgres")).await] {
        let mut reader = store.reader().await.unwrap();
        let seen = follow(&mut *reader, &mut Position::START.clone()).await;
        let seen: Vec<_> = seen.iter().map(|e| (e.stream.as_str(), &*e.kind)).collect();
        assert_eq!(seen, [("note-b", "Other"), ("note-a", "Lost"), ("memo-a", "Gone")]);
    }
}
