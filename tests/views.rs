//! The read side of the app: views and handlers through the front door.

use std::time::Duration;

use foldlog::prelude::*;
use foldlog::{Error, ErrorKind, Workers};
use foldlog_testkit::{TestDatabase, wait_until};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use crate::bank::{Account, AccountEvent, AccountId, Deposit, Withdraw, account, database};

#[derive(View, Debug, PartialEq, Serialize, Deserialize)]
#[view(name = "balance", version = 1)]
struct Balance {
    #[key(stream)]
    account: AccountId,
    cents: i64,
}

impl Fold for Balance {
    type Event = AccountEvent;

    fn apply(&mut self, e: &Recorded<AccountEvent>) -> Row {
        self.cents += change(&e.event);
        if self.cents == 0 { Row::Delete } else { Row::Keep }
    }
}

/// One row for each sign of the change, whatever the stream.
#[derive(View, Debug, PartialEq, Serialize, Deserialize)]
#[view(name = "turnover", version = 1)]
struct Turnover {
    #[key]
    direction: String,
    cents: i64,
}

impl Fold for Turnover {
    type Event = AccountEvent;

    fn apply(&mut self, e: &Recorded<AccountEvent>) -> Row {
        self.cents += change(&e.event).abs();
        Row::Keep
    }
}

impl Keyed for Turnover {
    fn keys(e: &Recorded<AccountEvent>) -> Keys<String> {
        Keys::one(if change(&e.event) < 0 { "out".into() } else { "in".into() })
    }
}

fn change(event: &AccountEvent) -> i64 {
    match event {
        AccountEvent::Deposited { cents } => *cents,
        AccountEvent::Withdrawn { cents } => -cents,
    }
}

/// Writes a statement line per event into a table of the user's.
#[derive(Clone)]
struct Statements;

impl Projection for Statements {
    const NAME: &'static str = "statements";
    type Event = AccountEvent;

    async fn apply(
        &mut self,
        conn: &mut PgConnection,
        batch: &Batch<AccountEvent>,
    ) -> Result<(), BoxError> {
        for e in batch {
            sqlx::query("insert into statement (account, version, cents) values ($1, $2, $3)")
                .bind(&e.stream.0)
                .bind(i64::try_from(e.version)?)
                .bind(change(&e.event))
                .execute(&mut *conn)
                .await?;
        }
        Ok(())
    }
}

fn app(database: &TestDatabase) -> foldlog::AppBuilder {
    App::builder(database.db()).aggregate::<Account>().view::<Balance>().view::<Turnover>()
}

#[tokio::test]
async fn a_view_read_at_least_a_token_holds_the_command_that_gave_it() {
    let database = database().await;
    let app = app(&database).start().await.unwrap();
    let ada = account("ada");
    for cents in 1..=20 {
        let done = app.execute(&ada, Deposit(cents)).await.unwrap();
        let row = app.view::<Balance>().at_least(&done.token).get(&ada).await.unwrap();
        assert_eq!(row.unwrap().cents, done.reply);
    }
    let done = app.execute(&ada, Withdraw(210)).await.unwrap();
    assert_eq!(app.view::<Balance>().at_least(&done.token).get(&ada).await.unwrap(), None);
    let turnover = app.view::<Turnover>().at_least(&done.token);
    assert_eq!(turnover.get(&"in".to_owned()).await.unwrap().unwrap().cents, 210);
    app.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_fresh_read_is_exact_while_no_worker_runs() {
    let database = database().await;
    let app = app(&database).without_workers().start().await.unwrap();
    let ada = account("ada");
    assert_eq!(app.view::<Balance>().fresh(&ada).await.unwrap(), None);
    for cents in 1..=5 {
        let balance = app.execute(&ada, Deposit(cents)).await.unwrap().reply;
        let fresh = app.view::<Balance>().fresh(&ada).await.unwrap();
        assert_eq!(fresh, Some(Balance { account: ada.clone(), cents: balance }));
    }
    assert_eq!(app.view::<Balance>().get(&ada).await.unwrap(), None, "nothing was written");
}

#[tokio::test]
async fn a_wait_without_a_worker_says_so() {
    let database = database().await;
    let app = app(&database).without_workers().start().await.unwrap();
    let done = app.execute(&account("ada"), Deposit(1)).await.unwrap();
    let read = app.view::<Balance>().at_least(&done.token).timeout(Duration::from_millis(50));
    let error = read.get(&account("ada")).await.unwrap_err();
    assert!(matches!(&error, ReadError::Stale { why: Why::NoWorker { .. }, .. }), "{error}");
}

#[tokio::test]
async fn a_view_and_a_handler_are_kept_by_the_workers_of_another_app() {
    let database = database().await;
    sqlx::query("create table statement (account text, version bigint, cents bigint)")
        .execute(database.pool())
        .await
        .unwrap();
    let worker = app(&database).projection(Statements).start().await.unwrap();
    let front = app(&database).without_workers().start().await.unwrap();
    let ada = account("ada");
    let done = front.execute(&ada, Deposit(7)).await.unwrap();
    let row = front.view::<Balance>().at_least(&done.token).get(&ada).await.unwrap();
    assert_eq!(row.unwrap().cents, 7);
    wait_until(Duration::from_secs(20), async || {
        let lines: Vec<(String, i64, i64)> =
            sqlx::query_as("select account, version, cents from statement")
                .fetch_all(database.pool())
                .await
                .unwrap();
        lines == [("ada".to_owned(), 1, 7)]
    })
    .await;
    worker.shutdown().await.unwrap();
    front.shutdown().await.unwrap();
}

#[tokio::test]
async fn the_views_of_tenants_are_apart() {
    let database = database().await;
    let app = app(&database).start().await.unwrap();
    let ada = account("ada");
    let red = app.tenant(Tenant::new("red").unwrap());
    let first = app.execute(&ada, Deposit(1)).await.unwrap();
    let second = red.execute(&ada, Deposit(2)).await.unwrap();
    for (app, token, cents) in [(&app, first.token, 1), (&red, second.token, 2)] {
        let row = app.view::<Balance>().at_least(&token).get(&ada).await.unwrap();
        assert_eq!(row.unwrap().cents, cents);
        assert_eq!(app.view::<Balance>().fresh(&ada).await.unwrap().unwrap().cents, cents);
        let turnover = app.view::<Turnover>().at_least(&token).get(&"in".to_owned()).await.unwrap();
        assert_eq!(turnover.unwrap().cents, cents);
    }
    app.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_retired_view_begins_anew_when_it_is_registered_again() {
    let database = database().await;
    let first = app(&database).start().await.unwrap();
    let ada = account("ada");
    let done = first.execute(&ada, Deposit(3)).await.unwrap();
    first.view::<Balance>().at_least(&done.token).get(&ada).await.unwrap();
    first.retire("balance").await.unwrap();
    let gone = first.view::<Balance>().at_least(&done.token).timeout(Duration::ZERO);
    let error = gone.get(&ada).await.unwrap_err();
    assert!(matches!(&error, ReadError::Stale { why: Why::Absent, .. }), "{error}");
    first.shutdown().await.unwrap();

    let second = app(&database).workers(Workers::default()).start().await.unwrap();
    let row = second.view::<Balance>().at_least(&done.token).get(&ada).await.unwrap();
    assert_eq!(row.unwrap().cents, 3);
    second.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_view_that_is_not_registered_names_the_call_to_add() {
    let database = database().await;
    let app = App::builder(database.db()).aggregate::<Account>().start().await.unwrap();
    let error = app.view::<Balance>().fresh(&account("ada")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains(".view::<"), "{error}");
    app.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_name_registered_twice_is_refused_at_the_start() {
    let database = database().await;
    let error: Error = app(&database).view::<Balance>().start().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("balance"), "{error}");
}
