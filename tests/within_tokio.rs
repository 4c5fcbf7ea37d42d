//! Commands in a transaction of tokio-postgres: what holds for one of sqlx holds here.

use foldlog::prelude::*;
use foldlog::{Error, ErrorKind, Prepare};
use foldlog_testkit::TestDatabase;
use tokio::task::AbortHandle;
use tokio_postgres::{Client, GenericClient, IsolationLevel};
use uuid::Uuid;

use crate::bank::{
    Account, AccountEvent, Deposit, Look, Peek, Short, Withdraw, account, bench, database, open,
    stored,
};

/// A client whose connection ends with it.
pub(crate) struct Session {
    pub(crate) client: Client,
    connection: AbortHandle,
}

impl Session {
    pub(crate) async fn of(db: &Db) -> Self {
        let session = db.direct().session("test").await.unwrap();
        let connection = tokio::spawn(async move { drop(session.connection.await) });
        Self { client: session.client, connection: connection.abort_handle() }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

async fn with_table(database: &TestDatabase) -> Session {
    sqlx::query("create table transfer (cents bigint)").execute(database.pool()).await.unwrap();
    Session::of(&database.db()).await
}

async fn transfers(database: &TestDatabase) -> i64 {
    sqlx::query_scalar("select count(*) from transfer").fetch_one(database.pool()).await.unwrap()
}

#[tokio::test]
async fn rows_and_events_commit_together() {
    let (database, app) = bench().await;
    let mut session = with_table(&database).await;
    let (ada, bob) = (account("ada"), account("bob"));
    app.execute(&ada, Deposit(9)).await.unwrap();

    let tx = session.client.transaction().await.unwrap();
    let taken = app.execute(&ada, Withdraw(4)).within_tokio(&tx).await.unwrap();
    let given = app.execute(&bob, Deposit(4)).expect_version(0).within_tokio(&tx).await.unwrap();
    tx.execute("insert into transfer values (4)", &[]).await.unwrap();
    assert_eq!((taken.reply, taken.version, given.reply, given.version), (5, 2, 4, 1));
    assert_eq!((stored(&database).await, transfers(&database).await), (1, 0));
    tx.commit().await.unwrap();
    assert_eq!((stored(&database).await, transfers(&database).await), (3, 1));

    let (taken, given) = (taken.token.after_commit(), given.token.after_commit());
    assert_eq!(taken, app.load::<Account>(&ada).await.unwrap().token);
    assert_eq!(given, app.load::<Account>(&bob).await.unwrap().token);
}

#[tokio::test]
async fn a_rollback_leaves_nothing() {
    let (database, app) = bench().await;
    let (ada, key) = (account("ada"), Uuid::now_v7());
    let mut session = Session::of(&database.db()).await;
    let tx = session.client.transaction().await.unwrap();
    let done = app.execute(&ada, Deposit(4)).within_tokio(&tx).command_id(key).await.unwrap();
    assert!(!done.repeated);
    drop(tx);
    let tx = session.client.transaction().await.unwrap();
    assert_eq!(app.execute(&ada, Deposit(4)).within_tokio(&tx).await.unwrap().version, 1);
    tx.rollback().await.unwrap();
    assert_eq!(stored(&database).await, 0);
    // Not even the receipt: the command runs as if for the first time.
    let done = app.execute(&ada, Deposit(4)).command_id(key).await.unwrap();
    assert_eq!((done.reply, done.repeated), (4, false));
}

#[tokio::test]
async fn commands_of_one_transaction_see_each_other() {
    let (database, app) = bench().await;
    let ada = account("ada");
    let mut session = Session::of(&database.db()).await;
    let levels = [
        IsolationLevel::ReadCommitted,
        IsolationLevel::RepeatableRead,
        IsolationLevel::Serializable,
    ];
    for isolation in levels {
        let tx = session.client.build_transaction().isolation_level(isolation);
        let tx = tx.start().await.unwrap();
        let before = app.execute(&ada, Deposit(4)).within_tokio(&tx).await.unwrap();
        let error = app.execute(&ada, Withdraw(999)).within_tokio(&tx).await.unwrap_err();
        assert!(matches!(error, ExecuteError::Rejected(Short { .. })));
        let after = app.execute(&ada, Withdraw(4)).within_tokio(&tx).await.unwrap();
        assert_eq!((after.reply, after.version), (0, before.version + 1), "{isolation:?}");
        tx.commit().await.unwrap();
    }
    let loaded = app.load::<Account>(&ada).await.unwrap();
    assert_eq!(loaded.state, Account { cents: 0, events: 6 });
}

#[tokio::test]
async fn a_command_id_is_recognised_inside_and_outside_of_transactions() {
    let (database, app) = bench().await;
    let (ada, key, peek) = (account("ada"), Uuid::now_v7(), Uuid::now_v7());
    let mut session = Session::of(&database.db()).await;
    let tx = session.client.transaction().await.unwrap();
    let first = app.execute(&ada, Deposit(4)).command_id(key).within_tokio(&tx).await.unwrap();
    let again = app.execute(&ada, Deposit(4)).within_tokio(&tx).command_id(key).await.unwrap();
    assert_eq!((first.repeated, again.repeated, again.reply), (false, true, 4));
    let peeked = app.execute(&ada, Peek).within_tokio(&tx).command_id(peek).await.unwrap();
    assert_eq!((peeked.reply, peeked.repeated), (4, false));
    app.execute(&ada, Withdraw(4)).within_tokio(&tx).await.unwrap();
    // It would be rejected by now, and is answered from its receipt.
    let peeked = app.execute(&ada, Peek).within_tokio(&tx).command_id(peek).await.unwrap();
    assert_eq!((peeked.reply, peeked.version, peeked.repeated), (4, 1, true));
    tx.commit().await.unwrap();

    let outside = app.execute(&ada, Deposit(4)).command_id(key).await.unwrap();
    assert_eq!((outside.reply, outside.version, outside.repeated), (4, 1, true));
    assert_eq!(outside.token, first.token.after_commit());
    let tx = session.client.transaction().await.unwrap();
    let inside = app.execute(&ada, Deposit(4)).within_tokio(&tx).command_id(key).await.unwrap();
    assert_eq!((inside.repeated, inside.token.after_commit()), (true, outside.token));
    // The id stands for this stream; and what is judged before the append leaves the transaction.
    let other = app.execute(&account("bob"), Peek).within_tokio(&tx).command_id(key);
    let ExecuteError::Store(error) = other.await.unwrap_err() else { panic!() };
    assert_eq!(error.kind(), ErrorKind::IdReused);
    tx.commit().await.unwrap();
    assert_eq!(stored(&database).await, 2);
}

#[tokio::test]
async fn a_conflict_leaves_the_transaction_usable_and_is_explained() {
    let (database, app) = bench().await;
    let mut session = with_table(&database).await;
    let (ada, key) = (account("ada"), Uuid::now_v7());
    app.execute(&ada, Deposit(4)).command_id(key).await.unwrap();
    let tx = session.client.transaction().await.unwrap();
    let stale = app.execute(&ada, Deposit(4)).expect_version(0).within_tokio(&tx);
    let ExecuteError::Conflict { actual, since, .. } = stale.await.unwrap_err() else { panic!() };
    assert_eq!((actual, since.count), (1, 1));
    assert_eq!((&*since.events[0].kind, since.events[0].version), ("Deposited", 1));
    assert_eq!(since.events[0].causation_id, Some(key.to_string()));
    tx.execute("insert into transfer values (0)", &[]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!((stored(&database).await, transfers(&database).await), (1, 1));
}

/// Deposits a cent while another app has appended to the stream since the load.
struct Overtaken(App);

impl Prepare<Account> for Overtaken {
    type Command = Deposit;
    type Error = Error;

    async fn prepare(&self, _: &Account, cx: &Context<Account>) -> Result<Deposit, Error> {
        let cent = AccountEvent::Deposited { cents: 50 };
        self.0.append([any(cx.id(), cent)]).await.unwrap();
        Ok(Deposit(1))
    }
}

#[tokio::test]
async fn a_conflict_that_the_server_finds_leaves_the_transaction_usable_too() {
    let (database, app) = bench().await;
    let ada = account("ada");
    let mut session = Session::of(&database.db()).await;
    for before in 0..2 {
        let tx = session.client.transaction().await.unwrap();
        let late = app.execute_with(&ada, Overtaken(app.clone())).within_tokio(&tx).await;
        let ExecuteError::Conflict { actual, since, .. } = late.unwrap_err() else { panic!() };
        assert_eq!((actual, since.count, since.events[0].version), (before + 1, 1, before + 1));
        app.execute(&account("bob"), Deposit(1)).within_tokio(&tx).await.unwrap();
        tx.commit().await.unwrap();
    }
    // With an old snapshot PostgreSQL breaks it off: the transaction is to be run again.
    let tx = session.client.build_transaction().isolation_level(IsolationLevel::RepeatableRead);
    let tx = tx.start().await.unwrap();
    let late = app.execute_with(&ada, Overtaken(app.clone())).within_tokio(&tx).await;
    let ExecuteError::Store(error) = late.unwrap_err() else { panic!() };
    assert_eq!(error.kind(), ErrorKind::Retry, "{error}");
    tx.rollback().await.unwrap();
    assert_eq!(app.load::<Account>(&ada).await.unwrap().state, Account { cents: 150, events: 3 });
}

#[tokio::test]
async fn a_stream_that_stays_locked_is_busy() {
    let (database, app) = bench().await;
    let ada = account("ada");
    app.execute(&ada, Deposit(4)).await.unwrap();
    let mut holder = database.pool().begin().await.unwrap();
    app.execute(&ada, Deposit(4)).within(&mut holder).await.unwrap();

    let mut session = Session::of(&database.db()).await;
    let tx = session.client.transaction().await.unwrap();
    tx.batch_execute("set local lock_timeout = '20ms'").await.unwrap();
    let error = app.execute(&ada, Deposit(4)).within_tokio(&tx).await.unwrap_err();
    let ExecuteError::Busy { stream, .. } = &error else { panic!("{error:?}") };
    assert_eq!(stream.as_str(), "account-ada");
    tx.rollback().await.unwrap();
    holder.rollback().await.unwrap();
    assert_eq!(app.execute(&ada, Deposit(4)).await.unwrap().version, 2);
}

#[tokio::test]
async fn a_long_stream_is_folded_whole_and_what_is_beside_the_payload_is_read_as_by_sqlx() {
    let (database, app) = bench().await;
    let ada = account("ada");
    let mut session = Session::of(&database.db()).await;
    for _ in 0..3 {
        let many = vec![AccountEvent::Deposited { cents: 1 }; 900];
        app.append([any(&ada, many)])
            .metadata(Metadata::new().with("é", "\u{1f600}"))
            .await
            .unwrap();
    }
    let tx = session.client.transaction().await.unwrap();
    assert_eq!(app.execute(&ada, Deposit(1)).within_tokio(&tx).await.unwrap().version, 2_701);
    tx.commit().await.unwrap();
    let stream = app.load::<Account>(&ada).await.unwrap().stream().clone();
    let client = foldlog::TokioClient::new(&session.client);
    for (after, limit) in [(0, 3), (2_699, 10), (2_701, 10), (9_999, 10)] {
        let here = app.store().read_stream_in_tokio(client, &stream, after, limit).await.unwrap();
        let there = app.store().read_stream(&stream, after, limit).await.unwrap();
        assert_eq!(format!("{here:?}"), format!("{there:?}"));
    }
    let nobody = StreamName::of::<AccountEvent>(&Tenant::default(), &account("nobody")).unwrap();
    let page = app.store().read_stream_in_tokio(client, &nobody, 0, 10).await.unwrap();
    assert_eq!((page.events.len(), page.version, page.more), (0, 0, false));
}

/// Generic over what a client may be.
async fn deposit<C: GenericClient + Send + Sync>(app: &App, client: &C) -> i64 {
    app.execute(&account("ada"), Deposit(1)).within_tokio(client).await.unwrap().reply
}

#[tokio::test]
async fn every_kind_of_client_will_do() {
    let (database, app) = bench().await;
    let mut session = Session::of(&database.db()).await;
    // A client in a transaction, a savepoint, generic code, and a client in none.
    session.client.batch_execute("begin").await.unwrap();
    assert_eq!(deposit(&app, &session.client).await, 1);
    session.client.batch_execute("commit").await.unwrap();
    let mut tx = session.client.transaction().await.unwrap();
    let savepoint = tx.savepoint("desk").await.unwrap();
    assert_eq!(deposit(&app, &savepoint).await, 2);
    savepoint.rollback().await.unwrap();
    assert_eq!(deposit(&app, &tx).await, 2);
    tx.commit().await.unwrap();
    assert_eq!(deposit(&app, &session.client).await, 3);
    assert_eq!(stored(&database).await, 3);
    // It may be held across an await in a spawned task.
    let spawned = tokio::spawn(async move {
        let mut session = session;
        let tx = session.client.transaction().await.unwrap();
        let of = app.of::<Account>();
        let look = of.execute(&account("ada"), Look).within_tokio(&tx);
        let metadata = Metadata::new().correlation("visit 7");
        let seen = look.metadata(metadata.clone()).await.unwrap();
        assert_eq!(seen.reply.1, metadata);
        tx.commit().await.unwrap();
        seen.version
    });
    assert_eq!(spawned.await.unwrap(), 3);
}

#[tokio::test]
async fn event_types_that_nobody_has_registered_stay_known_after_a_rollback() {
    let database = database().await;
    let app = open(database.db()).await;
    // As if another program had made the store: this one's types are not there any more.
    let forget = "delete from foldlog.event_type";
    sqlx::raw_sql(forget).execute(database.pool()).await.unwrap();
    let mut session = Session::of(&database.db()).await;
    let tx = session.client.transaction().await.unwrap();
    let lost = app.execute(&account("ada"), Deposit(1)).within_tokio(&tx).await.unwrap_err();
    let ExecuteError::Store(error) = lost else { panic!("{lost:?}") };
    assert_eq!(error.kind(), ErrorKind::Retry, "{error}");
    tx.rollback().await.unwrap();
    let tx = session.client.transaction().await.unwrap();
    app.execute(&account("ada"), Deposit(1)).within_tokio(&tx).await.unwrap();
    tx.rollback().await.unwrap();
    let types = "select count(*) from foldlog.event_type";
    let types: i64 = sqlx::query_scalar(types).fetch_one(database.pool()).await.unwrap();
    assert_eq!((types, stored(&database).await), (1, 0));
}
