//! Commands dropped within a transaction of the user's.

use foldlog_testkit::sweep;
use uuid::Uuid;

use super::Narrow;
use crate::bank::{Deposit, account};

#[tokio::test]
async fn a_command_dropped_within_a_transaction_leaves_it_to_be_rolled_back() {
    let mut narrow = Narrow::new().await;
    let ada = account("ada");
    sweep("Within::into_future", async |cut| {
        let before = narrow.cents("ada").await;
        let mut tx = narrow.db.pool().begin().await.unwrap();
        let id = Uuid::now_v7();
        let command = narrow.app.execute(&ada, Deposit(1)).within(&mut tx).command_id(id);
        let end = cut.of(command).await;
        let done = end.is_some();
        tx.rollback().await.unwrap();
        narrow.nothing_left().await;
        assert_eq!(narrow.cents("ada").await, before, "{cut:?}");

        // The id was not used up, and the next transaction does what the dropped one did not.
        let mut tx = narrow.db.pool().begin().await.unwrap();
        let command = narrow.app.execute(&ada, Deposit(1)).command_id(id);
        let executed = command.within(&mut tx).await.unwrap();
        assert!(!executed.repeated);
        tx.commit().await.unwrap();
        assert_ne!(executed.token.after_commit().to_string(), "");
        assert_eq!(narrow.cents("ada").await, before + 1, "{cut:?}");
        done
    })
    .await;
    narrow.end().await;
}
