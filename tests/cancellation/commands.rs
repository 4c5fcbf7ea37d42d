//! Dropped commands, and loads of what they decide on.

use foldlog::Retry;
use foldlog::prelude::*;
use foldlog_testkit::sweep;
use uuid::Uuid;

use super::Narrow;
use crate::bank::{Account, AccountEvent, Deposit, Peek, account};

#[tokio::test]
async fn a_command_dropped_at_any_await_is_done_or_not_done() {
    let mut narrow = Narrow::new().await;
    let ada = account("ada");
    sweep("Execute::into_future", async |cut| {
        let before = narrow.cents("ada").await;
        let end = cut.of(narrow.app.execute(&ada, Deposit(1))).await;
        narrow.nothing_left().await;
        let after = narrow.cents("ada").await;
        assert!(after - before <= 1, "{cut:?}");
        let Some(end) = end else { return false };
        assert_eq!(end.unwrap().version, after);
        after == before + 1
    })
    .await;
    sweep("Execute::into_future, with a version and a retry", async |cut| {
        let before = narrow.cents("ada").await;
        let command = narrow.app.of::<Account>().execute(&ada, Deposit(1));
        let end = cut.of(command.expect_version(before).retry(Retry::default())).await;
        narrow.nothing_left().await;
        let after = narrow.cents("ada").await;
        assert!(after - before <= 1, "{cut:?}");
        // Expecting the same again tells which it was.
        let again = narrow.app.execute(&ada, Deposit(1)).expect_version(before).await;
        assert_eq!(again.is_ok(), after == before, "{cut:?}");
        assert_eq!(narrow.cents("ada").await, before + 1);
        end.is_some()
    })
    .await;
    narrow.end().await;
}

#[tokio::test]
async fn a_dropped_command_with_an_id_is_found_out_by_repeating_it() {
    let mut narrow = Narrow::new().await;
    let (ada, mut commands) = (account("ada"), 0);
    sweep("Execute::into_future, with an id", async |cut| {
        let key = Uuid::now_v7();
        commands += 1;
        let command = || narrow.app.execute(&ada, Deposit(1)).command_id(key);
        let (first, again) = (command(), command());
        let first = cut.of(first).await;
        narrow.nothing_left().await;
        let is_there = narrow.cents("ada").await == commands;
        let again = again.await.unwrap();
        assert_eq!(again.repeated, is_there, "{cut:?}");
        assert_eq!(again.version, commands, "{cut:?}");
        assert_eq!(u64::try_from(again.reply).unwrap(), commands);
        assert_eq!(narrow.cents("ada").await, commands, "twice, at {cut:?}");
        let Some(first) = first else { return false };
        let first = first.unwrap();
        assert_eq!((first.reply, first.token), (again.reply, again.token));
        again.repeated && !first.repeated
    })
    .await;
    // Rejected by now, and answered from the receipt.
    let (peek, bob) = (Uuid::now_v7(), account("bob"));
    let command = || narrow.app.execute(&ada, Peek).command_id(peek);
    let reply = command().await.unwrap().reply;
    let all = AccountEvent::Withdrawn { cents: i64::try_from(commands).unwrap() };
    narrow.app.append([any(&ada, all)]).await.unwrap();
    sweep("Execute::into_future, of a command that was accepted before", async |cut| {
        let again = cut.of(narrow.app.execute(&ada, Peek).command_id(peek)).await;
        narrow.nothing_left().await;
        assert!(narrow.app.execute(&bob, Peek).await.is_err());
        again.is_some_and(|again| again.unwrap().reply == reply)
    })
    .await;
    narrow.end().await;
}

/// A cent, after two looks elsewhere.
struct Looked(Db);

impl Prepare<Account> for Looked {
    type Command = Deposit;
    type Error = sqlx::Error;

    async fn prepare(&self, _: &Account, _: &Context<Account>) -> Result<Deposit, sqlx::Error> {
        let cent: i64 = sqlx::query_scalar("select 1::bigint").fetch_one(self.0.pool()).await?;
        tokio::task::yield_now().await;
        Ok(Deposit(cent))
    }
}

#[tokio::test]
async fn a_command_dropped_in_its_look_up_or_after_it_is_done_or_not_done() {
    let mut narrow = Narrow::new().await;
    let (ada, mut commands) = (account("ada"), 0);
    // The pool has one connection: the command holds none while something is looked up.
    sweep("Execute::into_future, Sends::decide, Prepare::prepare", async |cut| {
        let key = Uuid::now_v7();
        commands += 1;
        let db = narrow.db.clone();
        let looked = || Looked(db.clone());
        let first = cut.of(narrow.app.execute_with(&ada, looked()).command_id(key)).await;
        narrow.nothing_left().await;
        let is_there = narrow.cents("ada").await == commands;
        let again = narrow.app.execute_with(&ada, looked()).command_id(key).await.unwrap();
        assert_eq!((again.repeated, again.version), (is_there, commands), "{cut:?}");
        assert_eq!(narrow.cents("ada").await, commands, "twice, at {cut:?}");
        first.is_some_and(|first| !first.unwrap().repeated)
    })
    .await;
    narrow.end().await;
}

#[tokio::test]
async fn a_command_dropped_amid_conflicts_is_done_once_or_not_at_all() {
    let mut narrow = Narrow::new().await;
    let ada = account("ada");
    sweep("Execute::into_future, against a rival", async |cut| {
        let before = narrow.cents("ada").await;
        let rival = narrow.app.execute(&ada, Deposit(1));
        let rival = tokio::spawn(rival.retry(Retry::default()).into_future());
        let end = cut.of(narrow.app.execute(&ada, Deposit(1))).await;
        rival.await.unwrap().unwrap();
        narrow.nothing_left().await;
        let came = narrow.cents("ada").await - before;
        assert!(came == 2 || (came == 1 && end.is_none()), "{came} came at {cut:?}");
        end.is_some()
    })
    .await;
    narrow.end().await;
}

#[tokio::test]
async fn a_dropped_load_leaves_the_pool_as_it_was() {
    let mut narrow = Narrow::new().await;
    let ada = account("ada");
    narrow.app.execute(&ada, Deposit(1)).await.unwrap();
    sweep("App::load", async |cut| {
        let loaded = cut.of(narrow.app.load::<Account>(&ada)).await;
        narrow.nothing_left().await;
        assert_eq!(narrow.cents("ada").await, 1);
        loaded.is_some()
    })
    .await;
    sweep("App::load_at_version", async |cut| {
        let loaded = cut.of(narrow.app.load_at_version::<Account>(&ada, 1)).await;
        narrow.nothing_left().await;
        loaded.is_some_and(|loaded| loaded.unwrap().version == 1)
    })
    .await;
    sweep("App::load_at_time", async |cut| {
        let now = std::time::SystemTime::now() + std::time::Duration::from_secs(3600);
        let loaded = cut.of(narrow.app.load_at_time::<Account>(&ada, now)).await;
        narrow.nothing_left().await;
        loaded.is_some_and(|loaded| loaded.unwrap().version == 1)
    })
    .await;
    sweep("Of::load", async |cut| {
        let loaded = cut.of(narrow.app.of::<Account>().load(&ada)).await;
        narrow.nothing_left().await;
        loaded.is_some()
    })
    .await;
    narrow.end().await;
}

#[tokio::test]
async fn a_dropped_look_at_what_came_in_between_leaves_the_pool_as_it_was() {
    let mut narrow = Narrow::new().await;
    let ada = account("ada");
    let cents = vec![AccountEvent::Deposited { cents: 1 }; 200];
    narrow.app.append([any(&ada, cents)]).await.unwrap();
    let stream = narrow.app.load::<Account>(&ada).await.unwrap().stream().clone();
    sweep("EventStore::since, EventStore::since_in", async |cut| {
        let looks = async {
            let store = narrow.app.store();
            let long = store.since(&stream, 0).await.unwrap();
            let mut conn = narrow.db.pool().acquire().await.unwrap();
            let short = store.since_in(&mut conn, &stream, 199).await.unwrap();
            (long.count, short.count)
        };
        let looks = cut.of(looks).await;
        narrow.nothing_left().await;
        looks.is_some_and(|looks| looks == (200, 1))
    })
    .await;
    sweep("Execute::into_future, that explains a conflict", async |cut| {
        let end = cut.of(narrow.app.execute(&ada, Deposit(1)).expect_version(0)).await;
        narrow.nothing_left().await;
        assert_eq!(narrow.cents("ada").await, 200);
        matches!(end, Some(Err(ExecuteError::Conflict { since, .. })) if since.count == 200)
    })
    .await;
    narrow.end().await;
}

#[tokio::test]
async fn a_dropped_export_leaves_the_pool_as_it_was() {
    let mut narrow = Narrow::new().await;
    let ada = account("ada");
    narrow.app.execute(&ada, Deposit(1)).await.unwrap();
    sweep("App::export", async |cut| {
        let fixture = cut.of(narrow.app.export::<Account>(&ada)).await;
        narrow.nothing_left().await;
        fixture.is_some_and(|fixture| fixture.unwrap().events().len() == 1)
    })
    .await;
    narrow.end().await;
}
