//! Dropped commands and loads of aggregates that are kept: what is kept stays what would be read.

use foldlog::Retry;
use foldlog_testkit::sweep;

use crate::bank::database;
use crate::tally::{Add, AtLeast, Tally, open, open_cached, tally, whole};

#[tokio::test]
async fn what_a_dropped_command_leaves_in_the_cache_and_in_snapshots_is_true() {
    let (database, id) = (database().await, tally("a"));
    let (app, other) = (open_cached(&database).await, open(&database).await);
    app.execute(&id, Add(1, 1)).await.unwrap();
    for foreign in [false, true] {
        sweep("Execute::into_future, with a cache and snapshots", async |cut| {
            let before = whole(&other, &id).await.1;
            if foreign {
                other.execute(&id, Add(1, 1)).await.unwrap();
            }
            let end = cut.of(app.execute(&id, Add(2, 3)).retry(Retry::default())).await;
            // Whether it was done may be seen a moment later only: not before it is asked again.
            let sum = app.execute(&id, Add(0, 1)).await.unwrap().reply;
            let (state, version) = whole(&other, &id).await;
            assert_eq!((state.sum, state.events), (sum, version), "{cut:?}");
            let came = version - before - 1 - u64::from(foreign);
            assert!(came == 3 || (came == 0 && end.is_none()), "{came} came at {cut:?}");
            assert_eq!(app.load::<Tally>(&id).await.unwrap().state, state);
            assert_eq!(other.load::<Tally>(&id).await.unwrap().state, state);
            end.is_some()
        })
        .await;
        sweep("Execute::into_future, without events, App::load, with a cache", async |cut| {
            if foreign {
                other.execute(&id, Add(1, 2)).await.unwrap();
            }
            let looks = async {
                let reply = app.execute(&id, AtLeast(0)).await.unwrap().reply;
                (reply, app.load::<Tally>(&id).await.unwrap().state.sum)
            };
            let looks = cut.of(looks).await;
            let sum = whole(&other, &id).await.0.sum;
            assert_eq!(app.execute(&id, AtLeast(sum)).await.unwrap().reply, sum, "{cut:?}");
            looks.is_some_and(|(reply, loaded)| reply == sum && loaded == sum)
        })
        .await;
    }
    app.shutdown().await.unwrap();
    other.shutdown().await.unwrap();
    let fresh = open(&database).await;
    assert_eq!(fresh.load::<Tally>(&id).await.unwrap().state, whole(&fresh, &id).await.0);
}
