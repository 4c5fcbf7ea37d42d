//! Dropped appends, with and without an id.

use foldlog::prelude::*;
use foldlog_testkit::sweep;
use uuid::Uuid;

use super::Narrow;
use crate::bank::{Account, AccountEvent, account};

const CENT: AccountEvent = AccountEvent::Deposited { cents: 1 };

#[tokio::test]
async fn an_append_dropped_at_any_await_is_done_or_not_done() {
    let mut narrow = Narrow::new().await;
    let (ada, bob) = (account("ada"), account("bob"));
    sweep("Append::into_future", async |cut| {
        let before = narrow.cents("ada").await;
        let stock = narrow.app.load::<Account>(&ada).await.unwrap();
        let end = cut.of(narrow.app.append([stock.events(CENT), any(&bob, CENT)])).await;
        narrow.nothing_left().await;
        let after = narrow.cents("ada").await;
        assert_eq!(after, narrow.cents("bob").await, "in part, at {cut:?}");
        assert!(after == before + 1 || (after == before && end.is_none()), "{cut:?}");
        end.is_some()
    })
    .await;
    sweep("Append::into_future, with an id", async |cut| {
        let before = narrow.cents("ada").await;
        let id = Uuid::now_v7();
        let app = narrow.app.clone();
        let append = || app.append([any(&ada, CENT), any(&bob, CENT)]).id(id);
        let first = cut.of(append()).await;
        narrow.nothing_left().await;
        let is_there = narrow.cents("ada").await == before + 1;
        let again = append().await;
        // Its events are the same, so it is the same append.
        assert_eq!(again.unwrap().repeated, is_there, "{cut:?}");
        assert_eq!(narrow.cents("ada").await, before + 1, "{cut:?}");
        assert_eq!(narrow.cents("bob").await, before + 1, "{cut:?}");
        first.is_some()
    })
    .await;
    narrow.end().await;
}

#[tokio::test]
async fn an_append_dropped_in_the_users_transaction_leaves_it_to_be_rolled_back() {
    let mut narrow = Narrow::new().await;
    let ada = account("ada");
    sweep("AppendIn::into_future", async |cut| {
        let before = narrow.cents("ada").await;
        let mut tx = narrow.db.pool().begin().await.unwrap();
        let end = cut.of(narrow.app.append_in(&mut tx, [any(&ada, CENT)])).await;
        let done = end.is_some();
        if done {
            tx.commit().await.unwrap();
            let token = end.map(|end| end.unwrap().token.after_commit());
            assert!(token.is_some());
        } else {
            tx.rollback().await.unwrap();
        }
        narrow.nothing_left().await;
        assert_eq!(narrow.cents("ada").await, before + u64::from(done), "{cut:?}");
        done
    })
    .await;
    narrow.end().await;
}
