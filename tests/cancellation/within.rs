//! Commands dropped within a transaction of the user's.

use foldlog::prelude::*;
use foldlog::{Request, SnapshotSchema, TokioClient};
use foldlog_testkit::sweep;
use uuid::Uuid;

use super::Narrow;
use crate::bank::{Account, AccountEvent, Deposit, account};
use crate::within_tokio::Session;

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

#[tokio::test]
async fn a_command_dropped_within_a_transaction_of_tokio_postgres_leaves_it_to_be_rolled_back() {
    let mut narrow = Narrow::new().await;
    let mut session = Session::of(&narrow.database.db()).await;
    let ada = account("ada");
    sweep("Within::into_future, of tokio-postgres", async |cut| {
        let before = narrow.cents("ada").await;
        let tx = session.client.transaction().await.unwrap();
        let id = Uuid::now_v7();
        let command = narrow.app.execute(&ada, Deposit(1)).within_tokio(&tx).command_id(id);
        let done = cut.of(command).await.is_some();
        tx.rollback().await.unwrap();
        narrow.nothing_left().await;
        assert_eq!(narrow.cents("ada").await, before, "{cut:?}");

        let tx = session.client.transaction().await.unwrap();
        let command = narrow.app.execute(&ada, Deposit(1)).command_id(id);
        let executed = command.within_tokio(&tx).await.unwrap();
        assert!(!executed.repeated);
        tx.commit().await.unwrap();
        assert_eq!(narrow.cents("ada").await, before + 1, "{cut:?}");
        done
    })
    .await;
    let stream = narrow.app.load::<Account>(&ada).await.unwrap().stream().clone();
    let request = || {
        let cent = AccountEvent::Deposited { cents: 1 };
        Request::new([any(&ada, cent)]).unwrap().id(Uuid::now_v7())
    };
    sweep("EventStore::append_in_tokio, EventStore::receipt_in_tokio", async |cut| {
        let before = narrow.cents("ada").await;
        let tx = session.client.transaction().await.unwrap();
        let (client, store) = (TokioClient::new(&tx), narrow.app.store());
        let calls = async {
            store.append_in_tokio(client, &request()).await.unwrap();
            store.receipt_in_tokio(client, &Tenant::default(), Uuid::nil()).await.unwrap()
        };
        let done = cut.of(calls).await.is_some();
        tx.rollback().await.unwrap();
        narrow.nothing_left().await;
        assert_eq!(narrow.cents("ada").await, before, "{cut:?}");
        done
    })
    .await;
    sweep("EventStore::read_stream_in_tokio, EventStore::since_in_tokio", async |cut| {
        let (client, store) = (TokioClient::new(&session.client), narrow.app.store());
        let looks = async {
            let page = store.read_stream_in_tokio(client, &stream, 0, 1).await.unwrap();
            (page.version, store.since_in_tokio(client, &stream, 0).await.unwrap().count)
        };
        let looks = cut.of(looks).await;
        narrow.nothing_left().await;
        looks.is_some_and(|(version, since)| version == since)
    })
    .await;
    sweep("EventStore::load_stream_in_tokio", async |cut| {
        let (client, store) = (TokioClient::new(&session.client), narrow.app.store());
        let schema = SnapshotSchema { aggregate: "account", hash: &[7; 32] };
        let load = store.load_stream_in_tokio(client, &stream, schema, u64::MAX, 1_000);
        let load = cut.of(load).await;
        narrow.nothing_left().await;
        load.is_some_and(|load| load.unwrap().page.version > 0)
    })
    .await;
    drop(session);
    narrow.end().await;
}
