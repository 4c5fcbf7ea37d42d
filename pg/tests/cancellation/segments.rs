//! Looks at segments and their freezing, dropped half-way.

use foldlog_pg::{segment, settled};
use foldlog_testkit::{Audit, sweep};

use super::{logged, number, run, session};

#[tokio::test]
async fn a_dropped_list_of_segments_leaves_no_session() {
    let database = logged().await;
    let (db, mut audit) = (database.narrow().await, Audit::of(&database).await);
    sweep("segment::list", async |cut| {
        let mut conn = db.session("foldlog test").await.unwrap();
        let listed = cut.of(segment::list(&mut conn, settled::EVENT_LOG)).await.map(Result::unwrap);
        drop(conn);
        audit.nothing_left_in(&db).await;
        listed.is_some_and(|listed| listed.len() == 3)
    })
    .await;
}

#[tokio::test]
async fn a_dropped_freezing_lets_the_next_one_freeze() {
    let database = logged().await;
    let (db, mut audit) = (database.narrow().await, Audit::of(&database).await);
    let mut outside = session(&database).await;
    run(&mut outside, "select setval('foldlog.event_position', 5)").await;
    sweep("segment::freeze", async |cut| {
        run(&mut outside, "delete from foldlog.segment").await;
        let mut conn = db.session("foldlog test").await.unwrap();
        let frozen =
            cut.of(segment::freeze(&mut conn, settled::EVENT_LOG)).await.map(Result::unwrap);
        let is_done = frozen.is_some();
        assert!(frozen.is_none_or(|frozen| frozen == Some(0)), "{frozen:?}");
        drop(conn);
        audit.nothing_left_in(&db).await;
        let mut again = session(&database).await;
        if !is_done {
            segment::freeze(&mut again, settled::EVENT_LOG).await.unwrap();
        }
        drop(again);
        audit.nothing_left_in(&db).await;
        let done = "select count(*) from foldlog.segment where frozen_at is not null";
        assert_eq!(number(&mut outside, done).await, 1, "{cut:?}");
        is_done
    })
    .await;
}
