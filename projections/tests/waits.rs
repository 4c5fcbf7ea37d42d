//! Waits: a read at least as new as a token holds it, or says why it can't.

use std::time::Duration;

use foldlog_core::{ErrorKind, Position, SliceClass, StoreId, Tenant, Token};
use foldlog_eventstore::{Request, any};
use foldlog_projections::{Projections, ReadError, Registered, Why, Workers};
use sqlx::Row;

use crate::domain::{AccountEvent, Balance, Tally, VoteEvent, account, deposit};
use crate::support::{Bench, PATIENCE, Running, run};

fn balance() -> Registered {
    Registered::view::<Balance>().unwrap()
}

/// What a read that can't succeed gives as its reason.
async fn why(projections: &Projections, token: &Token) -> Why {
    let views = projections.view::<Balance>(Tenant::default());
    let read = views.at_least(token).timeout(Duration::from_millis(80)).get(&account("a")).await;
    match read.unwrap_err() {
        ReadError::Stale { view: "balance", why, .. } => why,
        other => panic!("not stale: {other}"),
    }
}

#[tokio::test]
async fn a_row_read_at_least_as_new_as_a_token_holds_it_in_every_process() {
    let bench = Bench::new().await;
    let working = bench.open([balance()]).await;
    let reading = bench.open([balance()]).await;
    let running = Running::start(&working, Workers::default());
    for n in 1..=40 {
        let id = account(&format!("a{}", n % 3));
        let token = bench.put(&id, [deposit(n), deposit(n)]).await;
        let read = async |projections: &Projections| {
            let views = projections.view::<Balance>(Tenant::default());
            views.at_least(&token).get(&id).await.unwrap().unwrap().events
        };
        let expected = 2 * ((n + 2 - (n + 2) % 3) / 3);
        let expected = if n % 3 == 0 { 2 * (n / 3) } else { expected };
        let text: Token = token.to_string().parse().unwrap();
        assert_eq!(text, token);
        assert_eq!(read(&reading).await, expected, "{n}");
        assert_eq!(read(&working).await, expected, "{n}");
    }
    running.end().await;
}

#[tokio::test]
async fn a_token_of_other_events_is_reached_without_a_checkpoint() {
    let bench = Bench::new().await;
    let projections = bench.open([balance()]).await;
    bench.put(&account("a"), deposit(7)).await;
    let running = Running::start(&projections, Workers::default());
    bench.caught_up("balance", "account").await;
    running.end().await;
    // Nobody works any more, and yet nothing of the row's class lies before these tokens.
    let class = |id: &str| SliceClass::of_key(4, format!("account-{id}").as_bytes());
    let elsewhere = (0..).map(|n| format!("b{n}")).find(|id| class(id) != class("a")).unwrap();
    let tokens = [
        bench.put(&"other".to_owned(), VoteEvent::Cast { rows: vec![1], by: 1 }).await,
        bench.put(&account(&elsewhere), deposit(1)).await,
    ];
    for token in tokens {
        let views = projections.view::<Balance>(Tenant::default());
        let read = views.at_least(&token).timeout(Duration::ZERO).get(&account("a")).await;
        assert_eq!(read.unwrap().unwrap().cents, 7);
    }
    let token = bench.put(&account("a"), deposit(1)).await;
    assert!(matches!(why(&projections, &token).await, Why::NoWorker { .. }));
}

#[tokio::test]
async fn a_wait_says_that_nobody_works_or_that_the_view_is_gone() {
    let bench = Bench::new().await;
    let projections = bench.open([balance()]).await;
    let token = bench.put(&account("a"), deposit(1)).await;
    let class = SliceClass::of_key(4, b"account-a").unwrap();
    assert_eq!(why(&projections, &token).await, Why::NoWorker { class });
    projections.retire("balance").await.unwrap();
    assert_eq!(why(&projections, &token).await, Why::Absent);
}

#[tokio::test]
async fn a_wait_says_at_which_event_the_view_stopped() {
    let bench = Bench::new().await;
    let projections = bench.open([balance()]).await;
    let running = Running::start(&projections, Workers::default());
    let token = bench.put(&account("a"), AccountEvent::Noted { text: "panic".into() }).await;
    bench.until("select count(*) = 1 from foldlog.checkpoint where stopped_at is not null").await;
    let class = SliceClass::of_key(4, b"account-a").unwrap();
    match why(&projections, &token).await {
        Why::Stopped { class: stopped, error } => {
            assert_eq!(stopped, class);
            assert!(error.contains("event 1 of stream account-a (type Noted"), "{error}");
        }
        other => panic!("{other}"),
    }
    running.end().await;
}

#[tokio::test]
async fn a_wait_names_the_append_that_was_left_open() {
    let bench = Bench::new().await;
    let projections = bench.open([balance()]).await;
    let running = Running::start(&projections, Workers::default());
    bench.until("select bool_and(owner is not null) from foldlog.checkpoint").await;
    // So that the event types are known, and the open append holds no more than its own stream.
    bench.put(&account("first"), deposit(1)).await;
    let mut open = bench.holding("select").await;
    let pid: i32 =
        sqlx::query("select pg_backend_pid()").fetch_one(&mut open).await.unwrap().get(0);
    let request = Request::new([any(&account("open"), deposit(1))]).unwrap();
    bench.store.append_in(&mut open, &request).await.unwrap();
    let token = bench.put(&account("a"), deposit(1)).await;
    match why(&projections, &token).await {
        Why::OpenAppend { holder } => assert!(holder.contains(&pid.to_string()), "{holder}"),
        other => panic!("{other}"),
    }
    run(&mut open, "commit").await;
    let views = projections.view::<Balance>(Tenant::default()).at_least(&token).timeout(PATIENCE);
    assert_eq!(views.get(&account("a")).await.unwrap().unwrap().cents, 1);
    running.end().await;
}

#[tokio::test]
async fn a_wait_for_a_busy_worker_does_not_blame_an_append_that_opened_later() {
    let bench = Bench::new().await;
    let projections = bench.open([balance()]).await;
    let running = Running::start(&projections, Workers::default());
    bench.until("select bool_and(owner is not null) from foldlog.checkpoint").await;
    let lock = bench.holding("lock table foldlog_view.balance in exclusive mode").await;
    let token = bench.put(&account("a"), deposit(1)).await;
    bench.workers_waiting(1).await;
    let mut open = bench.holding("select").await;
    let request = Request::new([any(&account("later"), deposit(1))]).unwrap();
    bench.store.append_in(&mut open, &request).await.unwrap();
    match why(&projections, &token).await {
        Why::CatchingUp { positions, .. } => assert_eq!(positions, token.position().get()),
        other => panic!("{other}"),
    }
    drop((lock, open));
    bench.caught_up("balance", "account").await;
    running.end().await;
}

#[tokio::test]
async fn a_token_of_another_store_is_foreign() {
    let bench = Bench::new().await;
    let projections = bench.open([balance()]).await;
    let own = bench.store.id();
    let other = StoreId { store: [7; 8], ..own };
    let later = StoreId { epoch: own.epoch + 1, ..own };
    for store in [other, later] {
        let token = Token::new(store, 0, Position::new(1));
        let read = projections.view::<Balance>(Tenant::default()).at_least(&token);
        match read.get(&account("a")).await.unwrap_err() {
            ReadError::Store(error) => assert_eq!(error.kind(), ErrorKind::Foreign),
            other => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn a_view_begun_anew_elsewhere_is_not_taken_for_what_it_was_before() {
    let bench = Bench::new().await;
    let here = bench.open([balance()]).await;
    let running = Running::start(&here, Workers::default());
    let token = bench.put(&account("a"), deposit(5)).await;
    let read = |timeout| {
        let views = here.view::<Balance>(Tenant::default());
        async move { views.at_least(&token).timeout(timeout).get(&account("a")).await }
    };
    assert_eq!(read(PATIENCE).await.unwrap().unwrap().cents, 5);
    // Its checkpoints are held, so that nobody fills the new table before the read.
    let elsewhere = bench.open([balance()]).await;
    elsewhere.retire("balance").await.unwrap();
    bench.open([balance()]).await;
    let holder = bench.holding("select from foldlog.checkpoint for update").await;
    let filled: i64 = bench.value("select count(*) from foldlog_view.balance").await;
    if filled == 0 {
        assert!(read(Duration::ZERO).await.is_err(), "an empty table was read as new enough");
    }
    drop(holder);
    assert_eq!(read(PATIENCE).await.unwrap().unwrap().cents, 5);
    running.end().await;
}

#[tokio::test]
async fn a_wait_outlives_the_death_of_the_session_it_looks_with() {
    let bench = Bench::new().await;
    let projections = bench.open([balance(), Registered::view::<Tally>().unwrap()]).await;
    let running = Running::start(&projections, Workers::default());
    for n in 1..4 {
        let token = bench.put(&account("a"), deposit(1)).await;
        let views = projections.view::<Balance>(Tenant::default()).at_least(&token);
        assert_eq!(views.get(&account("a")).await.unwrap().unwrap().events, n);
        let sql = "select pg_terminate_backend(pid, 10000) from pg_stat_activity
            where datname = current_database() and application_name = 'foldlog reader'";
        bench.rows(sql).await;
    }
    running.end().await;
}
