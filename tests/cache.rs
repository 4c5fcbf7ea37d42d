//! The cache of aggregates: it saves folds, and changes no answer.

use std::time::Duration;

use foldlog::prelude::*;
use foldlog::{AggregateCache, ErrorKind};
use foldlog_testkit::wait_until;
use uuid::Uuid;

use crate::bank::{Account, Deposit, account, database};
use crate::tally::{
    Add, AtLeast, PATIENCE, Tally, TallyEvent, TooLow, folds, load, open, open_cached, tally, whole,
};

#[tokio::test]
async fn a_second_command_folds_only_what_it_adds() {
    let (database, id) = (database().await, tally("a"));
    let app = open_cached(&database).await;
    app.append([any(&id, vec![TallyEvent::Added { n: 1 }; 9])]).await.unwrap();
    let (first, folded) = folds(app.execute(&id, Add(1, 1))).await;
    assert_eq!((first.unwrap().reply, folded), (10, 10));
    let (second, folded) = folds(app.execute(&id, Add(1, 2))).await;
    let second = second.unwrap();
    assert_eq!((second.reply, second.version, folded), (12, 12, 2));
    let (third, folded) = folds(app.execute(&id, AtLeast(12))).await;
    let third = third.unwrap();
    assert_eq!((third.reply, third.token, folded), (12, second.token, 0));
    let (loaded, folded) = folds(app.load::<Tally>(&id)).await;
    let loaded = loaded.unwrap();
    assert_eq!((loaded.version, loaded.token, folded), (12, second.token, 0));
    assert_eq!(loaded.state, whole(&app, &id).await.0);
    // A tenant has streams of its own.
    let red = app.tenant(Tenant::new("red").unwrap());
    assert_eq!(red.load::<Tally>(&id).await.unwrap().version, 0);
}

#[tokio::test]
async fn every_answer_is_as_new_as_without_a_cache() {
    let (database, id) = (database().await, tally("a"));
    let (app, other) = (open_cached(&database).await, open(&database).await);
    let mut sum = app.execute(&id, Add(1, 1)).await.unwrap().reply;
    for _ in 0..3 {
        // A rejection that would have been right before.
        sum = other.execute(&id, Add(10, 2)).await.unwrap().reply;
        let (end, folded) = folds(app.execute(&id, AtLeast(sum))).await;
        assert_eq!((end.unwrap().reply, folded), (sum, 2), "only what came since is folded");
        let error = app.execute(&id, AtLeast(sum + 1)).await.unwrap_err();
        assert!(matches!(error, ExecuteError::Rejected(TooLow { sum: seen }) if seen == sum));

        // A reply without an event that would have been right before.
        sum = other.execute(&id, Add(-5, 1)).await.unwrap().reply;
        let end = app.execute(&id, AtLeast(0)).await.unwrap();
        let loaded = other.load::<Tally>(&id).await.unwrap();
        assert_eq!((end.reply, end.version, end.token), (sum, loaded.version, loaded.token));

        // A load.
        sum = other.execute(&id, Add(3, 1)).await.unwrap().reply;
        let (loaded, folded) = folds(app.load::<Tally>(&id)).await;
        assert_eq!((loaded.unwrap().state.sum, folded), (sum, 1));

        // Events, also of a command that wants no retry: it met no rival.
        sum = other.execute(&id, Add(1, 1)).await.unwrap().reply;
        let end = app.execute(&id, Add(1, 1)).retry(Retry::never()).await.unwrap();
        assert_eq!(end.reply, sum + 1);

        // A version that the cache does not know of yet, and one that it knows and that is gone.
        let version = other.execute(&id, Add(1, 1)).await.unwrap().version;
        let error = app.execute(&id, Add(1, 1)).expect_version(version - 1).await.unwrap_err();
        let ExecuteError::Conflict { actual, since, .. } = error else { panic!("{error:?}") };
        assert_eq!((actual, since.count), (version, 1));
        let version = other.execute(&id, Add(1, 1)).await.unwrap().version;
        sum = app.execute(&id, Add(1, 1)).expect_version(version).await.unwrap().reply;
    }
    assert_eq!(whole(&app, &id).await.0.sum, sum);
}

#[tokio::test]
async fn a_repeated_command_is_answered_as_the_first_time() {
    let (database, id) = (database().await, tally("a"));
    let (app, other) = (open_cached(&database).await, open_cached(&database).await);
    let (add, look, none) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
    let added = app.execute(&id, Add(7, 1)).command_id(add).await.unwrap();
    let looked = app.execute(&id, AtLeast(7)).command_id(look).await.unwrap();
    assert_eq!((looked.reply, looked.repeated), (7, false));
    other.execute(&id, Add(-7, 1)).await.unwrap();
    for app in [&app, &other, &app] {
        let again = app.execute(&id, Add(7, 1)).command_id(add).await.unwrap();
        assert_eq!((again.reply, again.version, again.repeated), (7, 1, true));
        assert_eq!(again.token, added.token);
        // It would be rejected by now.
        let again = app.execute(&id, AtLeast(7)).command_id(look).await.unwrap();
        assert_eq!((again.reply, again.version, again.repeated), (7, 1, true));
        assert_eq!(app.execute(&id, AtLeast(0)).await.unwrap().reply, 0);
    }
    // Without an event, on a state that was old.
    other.execute(&id, Add(9, 1)).await.unwrap();
    let end = app.execute(&id, AtLeast(9)).command_id(none).await.unwrap();
    assert_eq!((end.reply, end.version, end.repeated), (9, 3, false));
    let reused = app.execute(&tally("b"), Add(1, 1)).command_id(none).await.unwrap_err();
    assert!(matches!(reused, ExecuteError::Store(e) if e.kind() == ErrorKind::IdReused));
    assert_eq!(whole(&app, &id).await.1, 3);
}

#[tokio::test]
async fn a_transaction_of_the_users_neither_uses_the_cache_nor_fills_it() {
    let (database, id) = (database().await, tally("a"));
    let app = open_cached(&database).await;
    app.execute(&id, Add(1, 1)).await.unwrap();
    let mut tx = database.pool().begin().await.unwrap();
    let (end, folded) = folds(app.execute(&id, Add(1, 1)).within(&mut tx)).await;
    assert_eq!((end.unwrap().reply, folded), (2, 1));
    let (end, folded) = folds(app.execute(&id, AtLeast(2)).within(&mut tx)).await;
    assert_eq!((end.unwrap().reply, folded), (2, 2));
    tx.rollback().await.unwrap();
    let (end, folded) = folds(app.execute(&id, Add(1, 1))).await;
    assert_eq!((end.unwrap().reply, folded), (2, 1));
    assert_eq!(load::<Tally>(&app, &id).await, whole(&app, &id).await.0);
}

#[tokio::test]
async fn a_stream_that_came_back_shorter_is_noticed() {
    let id = tally("a");
    // What finds out: a command with events, one without, a rejection, a load.
    for finds_out in 0..4 {
        let database = database().await;
        let app = open_cached(&database).await;
        app.execute(&id, Add(1, 3)).await.unwrap();
        app.execute(&id, Add(10, 2)).await.unwrap();
        let restore = "set foldlog.unguarded = 'on'; delete from foldlog.event where version > 3";
        sqlx::raw_sql(restore).execute(database.pool()).await.unwrap();
        match finds_out {
            0 => assert_eq!(app.execute(&id, Add(1, 1)).await.unwrap().reply, 4),
            1 => assert_eq!(app.execute(&id, AtLeast(0)).await.unwrap().reply, 3),
            2 => drop(app.execute(&id, AtLeast(4)).await.unwrap_err()),
            _ => assert_eq!(load::<Tally>(&app, &id).await.sum, 3),
        }
        let (state, version) = whole(&app, &id).await;
        let loaded = app.load::<Tally>(&id).await.unwrap();
        assert_eq!((loaded.state, loaded.version), (state, version));
        assert_eq!(app.execute(&id, Add(1, 1)).await.unwrap().version, version + 1);
    }
}

#[tokio::test]
async fn what_came_over_a_session_that_is_lost_is_forgotten() {
    let (database, id) = (database().await, tally("a"));
    let app = open_cached(&database).await;
    app.execute(&id, Add(1, 5)).await.unwrap();
    assert_eq!(folds(load::<Tally>(&app, &id)).await.1, 0);
    let lost = app.store().sessions_lost().unwrap();
    let end = "select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and application_name = 'foldlog append'";
    sqlx::raw_sql(end).execute(database.pool()).await.unwrap();
    wait_until(PATIENCE, async || app.store().sessions_lost().unwrap() > lost).await;
    // The same version with another event, as after a failover that lost one.
    let other = "set foldlog.unguarded = 'on'; update foldlog.event set payload = '{\"n\":100}' where version = 5";
    sqlx::raw_sql(other).execute(database.pool()).await.unwrap();
    let (end, folded) = folds(app.execute(&id, Add(1, 1))).await;
    assert_eq!((end.unwrap().reply, folded), (105, 6));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_load_every_reply_is_that_of_its_version() {
    let database = database().await;
    let apps = [open_cached(&database).await, open_cached(&database).await, open(&database).await];
    let mut callers = tokio::task::JoinSet::new();
    for caller in 0..12_usize {
        let app = apps[caller % apps.len()].clone();
        callers.spawn(async move {
            let mut replies = Vec::new();
            for round in 0..40 {
                let id = tally(&((caller + round) % 3).to_string());
                let n = (caller * 40 + round) as i64;
                let end = match round % 5 {
                    0 => app.execute(&id, AtLeast(i64::MIN)).await,
                    1 => {
                        let loaded = app.load::<Tally>(&id).await.unwrap();
                        replies.push((id.clone(), loaded.version, loaded.state.sum));
                        continue;
                    }
                    _ => app.execute(&id, Add(n, 1 + round % 2)).retry(Retry::attempts(500)).await,
                };
                let end = end.unwrap();
                replies.push((id, end.version, end.reply));
            }
            replies
        });
    }
    let mut sums = std::collections::HashMap::new();
    for name in 0..3 {
        let id = tally(&name.to_string());
        sums.insert(id, Vec::new());
    }
    let replies: Vec<_> = callers.join_all().await.into_iter().flatten().collect();
    for (id, sums) in &mut sums {
        let stream = StreamName::of::<TallyEvent>(&Tenant::default(), id).unwrap();
        let page = apps[2].store().read_stream(&stream, 0, 10_000).await.unwrap();
        let mut sum = 0;
        sums.push(0);
        for raw in &page.events {
            let TallyEvent::Added { n } = raw.typed::<TallyEvent>().unwrap().event;
            sum += n;
            sums.push(sum);
        }
        for app in &apps {
            assert_eq!(load::<Tally>(app, id).await, whole(app, id).await.0);
        }
    }
    for (id, version, reply) in replies {
        assert_eq!(sums[&id][version as usize], reply, "{id:?} at {version}");
    }
}

#[tokio::test]
async fn a_cache_that_forgets_changes_nothing_but_the_folds() {
    let database = database().await;
    let cache = AggregateCache::entries(2).keep::<Tally>();
    let app = App::builder(database.db()).aggregate::<Tally>().aggregate_cache(cache);
    let app = app.start().await.unwrap();
    let mut folded_all = 0;
    for round in 1..=3 {
        for name in 0..20 {
            let (end, folded) = folds(app.execute(&tally(&name.to_string()), Add(1, 1))).await;
            assert_eq!(end.unwrap().reply, round);
            folded_all += folded;
        }
    }
    // Of each round all but two are loaded again.
    assert!(folded_all >= 20 + (18 * 2 + 2) + (18 * 3 + 2), "{folded_all}");
    let none = App::builder(database.db()).aggregate::<Tally>();
    let none = none.aggregate_cache(AggregateCache::entries(0).keep::<Tally>());
    let none = none.start().await.unwrap();
    assert_eq!(none.execute(&tally("0"), Add(1, 1)).await.unwrap().reply, 4);
    assert_eq!(folds(load::<Tally>(&none, &tally("0"))).await.1, 4);
}

#[tokio::test]
async fn an_aggregate_that_is_kept_must_be_registered_and_others_are_not_kept() {
    let database = database().await;
    let cache = || AggregateCache::entries(5).keep::<Tally>();
    let builder = App::builder(database.db()).aggregate::<Account>().aggregate_cache(cache());
    let error = builder.start().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains(".aggregate::<main::tally::Tally>()"), "{error}");
    let builder = App::builder(database.db()).aggregate::<Account>().aggregate::<Tally>();
    let app = builder.aggregate_cache(cache()).start().await.unwrap();
    app.execute(&account("ada"), Deposit(3)).await.unwrap();
    assert_eq!(app.execute(&account("ada"), Deposit(3)).await.unwrap().reply, 6);
    let late = tokio::time::timeout(Duration::from_secs(60), app.execute(&tally("a"), Add(1, 1)));
    assert_eq!(late.await.unwrap().unwrap().reply, 1);
}
