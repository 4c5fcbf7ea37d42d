//! Snapshots: used where they serve, left alone where they don't, and never waited for.

use std::sync::OnceLock;

use foldlog::prelude::*;
use foldlog::{ErrorKind, IdOf, Identifies, SnapshotRule};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::bank::database;
use crate::tally::{
    Add, AtLeast, EVERY, FORGED, Tally, TallyEvent, TallyId, Warnings, folds, load, open,
    open_cached, snapshots, stored_at, tally, tamper, whole,
};
use crate::within_tokio::Session;

#[tokio::test]
async fn a_state_by_way_of_a_snapshot_is_the_fold_of_all_events() {
    let database = database().await;
    let (plain, cached) = (open(&database).await, open_cached(&database).await);
    let mut chance = 7_u64;
    let mut next = |below: u64| {
        chance =
            chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (chance >> 33) % below
    };
    for stream in 0..6 {
        let id = tally(&stream.to_string());
        for _ in 0..20 {
            let (n, times) = (next(1_000) as i64 - 500, next(2 * EVERY) as usize);
            let app = if next(2) == 0 { &plain } else { &cached };
            match next(4) {
                0 => drop(app.append([any(&id, vec![TallyEvent::Added { n }; times + 1])]).await),
                _ => drop(app.execute(&id, Add(n, times)).await.unwrap()),
            }
            let (state, version) = whole(&plain, &id).await;
            for app in [&plain, &cached] {
                let loaded = app.load::<Tally>(&id).await.unwrap();
                assert_eq!((&loaded.state, loaded.version), (&state, version));
                assert_eq!(app.of::<Tally>().load(&id).await.unwrap().state, state);
            }
            let at = next(version + 1);
            let past = plain.load_at_version::<Tally>(&id, at).await.unwrap();
            let events =
                plain.store().read_stream(past.stream(), 0, at as u32).await.unwrap().events;
            let mut expected = Tally::default();
            for raw in &events[..at as usize] {
                expected.evolve(&raw.typed::<TallyEvent>().unwrap().event);
            }
            assert_eq!((past.state, past.version), (expected, at));
        }
    }
    plain.shutdown().await.unwrap();
    cached.shutdown().await.unwrap();
    assert!(snapshots(&database).await.len() > 3, "else nothing was tried");
}

#[tokio::test]
async fn a_snapshot_is_taken_with_every_tenth_event_and_a_load_goes_on_from_it() {
    let (database, id) = (database().await, tally("a"));
    let app = open(&database).await;
    for n in 1..EVERY {
        app.execute(&id, Add(n as i64, 1)).await.unwrap();
    }
    app.execute(&id, Add(0, 0)).await.unwrap();
    assert_eq!(snapshots(&database).await, []);
    app.execute(&id, Add(1, 3)).await.unwrap();
    stored_at(&database, 12).await;
    // Nothing more before the twentieth.
    app.execute(&id, Add(1, 7)).await.unwrap();
    app.shutdown().await.unwrap();
    assert_eq!(snapshots(&database).await, [("tally-a".to_owned(), 12)]);

    let app = open(&database).await;
    let (state, folded) = folds(load::<Tally>(&app, &id)).await;
    assert_eq!((state.events, folded), (19, 7));
    app.execute(&id, Add(1, 1)).await.unwrap();
    stored_at(&database, 20).await;
    let (_, folded) = folds(load::<Tally>(&app, &id)).await;
    assert_eq!(folded, 0);
}

#[tokio::test]
async fn events_that_came_without_a_command_are_in_a_snapshot_after_twice_as_many() {
    let (database, id) = (database().await, tally("a"));
    let app = open(&database).await;
    app.append([any(&id, vec![TallyEvent::Added { n: 1 }; 19])]).await.unwrap();
    load::<Tally>(&app, &id).await;
    app.append([any(&id, TallyEvent::Added { n: 1 })]).await.unwrap();
    load::<Tally>(&app, &id).await;
    app.shutdown().await.unwrap();
    assert_eq!(snapshots(&database).await, [("tally-a".to_owned(), 20)]);
}

#[tokio::test]
async fn a_snapshot_is_used_by_loads_commands_and_transactions() {
    let (database, id) = (database().await, tally("a"));
    let app = open(&database).await;
    app.execute(&id, Add(1, 10)).await.unwrap();
    stored_at(&database, 10).await;
    app.execute(&id, Add(1, 2)).await.unwrap();
    tamper(&database, FORGED).await;
    assert_eq!(load::<Tally>(&app, &id).await.sum, 1_000_002);
    assert_eq!(app.load_at_version::<Tally>(&id, 11).await.unwrap().state.sum, 1_000_001);
    assert_eq!(app.execute(&id, AtLeast(0)).await.unwrap().reply, 1_000_002);
    let mut tx = database.pool().begin().await.unwrap();
    assert_eq!(app.execute(&id, AtLeast(0)).within(&mut tx).await.unwrap().reply, 1_000_002);
    tx.rollback().await.unwrap();
    let mut session = Session::of(&database.db()).await;
    let tx = session.client.transaction().await.unwrap();
    let within = app.execute(&id, AtLeast(0)).within_tokio(&tx).await.unwrap();
    assert_eq!((within.reply, within.version), (1_000_002, 12));
    tx.rollback().await.unwrap();
    // Not for a past that it is beyond, nor for one by time, nor by hand.
    assert_eq!(app.load_at_version::<Tally>(&id, 9).await.unwrap().state.sum, 9);
    let now = std::time::SystemTime::now() + std::time::Duration::from_secs(3_600);
    assert_eq!(app.load_at_time::<Tally>(&id, now).await.unwrap().state.sum, 12);
    assert_eq!(app.of::<Tally>().load(&id).await.unwrap().state.sum, 12);
}

/// The tally of another program, whose state has one field more.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
struct Wider {
    sum: i64,
    #[serde(default)]
    highest: i64,
}

impl Decider for Wider {
    type Event = TallyEvent;
    type Rejection = std::convert::Infallible;

    fn evolve(&mut self, event: &TallyEvent) {
        let TallyEvent::Added { n } = event;
        self.sum += n;
        self.highest = self.highest.max(*n);
    }
}

/// An id of its own, over the same streams.
#[derive(Key, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct WiderId(String);

impl Identifies<Wider> for WiderId {
    fn id(&self) -> IdOf<Wider> {
        tally(&self.0)
    }

    fn snapshots() -> Option<&'static SnapshotRule<Wider>> {
        static RULE: OnceLock<SnapshotRule<Wider>> = OnceLock::new();
        // The name of the other one, as after a change of its fields.
        let name = <TallyId as Identifies<Tally>>::snapshots().unwrap().aggregate();
        Some(RULE.get_or_init(|| SnapshotRule::new(name, EVERY, 0)))
    }
}

#[tokio::test]
async fn a_snapshot_of_another_schema_is_left_alone_and_both_stay() {
    let (database, id) = (database().await, tally("a"));
    let app = open(&database).await;
    app.execute(&id, Add(5, 20)).await.unwrap();
    stored_at(&database, 20).await;
    tamper(&database, FORGED).await;
    let builder = App::builder(database.db()).aggregate::<Tally>().aggregate::<Wider>();
    let other = builder.start().await.unwrap();
    let wider = load::<Wider>(&other, &WiderId("a".into())).await;
    assert_eq!((wider.sum, wider.highest), (100, 5));
    other.shutdown().await.unwrap();
    assert_eq!(snapshots(&database).await.len(), 2);
    assert_eq!(load::<Tally>(&app, &id).await.sum, 1_000_000);

    // The one that nobody has written for a week goes with the next of the same aggregate.
    tamper(&database, "taken_at = taken_at - interval '8 days'").await;
    app.execute(&id, Add(5, 10)).await.unwrap();
    stored_at(&database, 30).await;
}

#[tokio::test]
async fn a_damaged_snapshot_is_warned_of_by_its_stream_and_taken_anew() {
    let (database, id) = (database().await, tally("a"));
    let app = open(&database).await;
    app.execute(&id, Add(1, 10)).await.unwrap();
    stored_at(&database, 10).await;
    for damage in [
        r#"state = '{"sum":"secret","mix":0,"events":0}'"#,
        r#"state = '{"sum":7}'"#,
        "state = '[]'",
        "state = 'null'",
    ] {
        tamper(&database, damage).await;
        let warnings = Warnings::default();
        let guard = tracing::subscriber::set_default(warnings.clone());
        assert_eq!(app.execute(&id, AtLeast(10)).await.unwrap().reply, 10);
        drop(guard);
        let warnings = warnings.all();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].contains("tally-a") && warnings[0].contains("can't be read"));
        assert!(!warnings[0].contains("secret"), "{warnings:?}");
    }
    let (_, events) = folds(app.execute(&id, Add(1, 10)).into_future()).await;
    assert_eq!(events, 20, "all were folded, and those that came");
    stored_at(&database, 20).await;
    assert_eq!(folds(load::<Tally>(&app, &id)).await.1, 0);
}

#[tokio::test]
async fn a_snapshot_that_the_stream_does_not_bear_out_is_left_alone_and_replaced() {
    let (database, id) = (database().await, tally("a"));
    let app = open(&database).await;
    app.execute(&tally("b"), Add(1, 1)).await.unwrap();
    app.execute(&id, Add(1, 10)).await.unwrap();
    stored_at(&database, 10).await;
    tamper(&database, FORGED).await;
    assert_eq!(load::<Tally>(&app, &id).await.sum, 1_000_000, "it would be used");
    for lie in [
        "version = 11",
        "version = 9",
        "version = 10, position = position + 1",
        "version = 10, position = 1",
    ] {
        tamper(&database, lie).await;
        let (state, folded) = folds(load::<Tally>(&app, &id)).await;
        assert_eq!((state.sum, folded), (10, 10), "{lie}");
        let mut tx = database.pool().begin().await.unwrap();
        assert_eq!(app.execute(&id, AtLeast(10)).within(&mut tx).await.unwrap().reply, 10);
    }
    // A store that came back shorter: what is ahead of it gives way, but not at once.
    tamper(&database, "version = 99, position = 1").await;
    app.execute(&id, Add(1, 10)).await.unwrap();
    app.shutdown().await.unwrap();
    assert_eq!(snapshots(&database).await, [("tally-a".to_owned(), 99)]);
    tamper(&database, "taken_at = taken_at - interval '2 minutes'").await;
    let app = open(&database).await;
    app.execute(&id, Add(1, 10)).await.unwrap();
    stored_at(&database, 30).await;
    assert_eq!(load::<Tally>(&app, &id).await.sum, 30);
}

#[tokio::test]
async fn no_command_waits_for_a_snapshot_and_one_that_is_lost_is_taken_later() {
    let (database, id) = (database().await, tally("a"));
    let app = open(&database).await;
    let mut tx = database.pool().begin().await.unwrap();
    // Nobody can write a snapshot, and everybody read one.
    let lock = sqlx::raw_sql("lock table foldlog.snapshot in share mode");
    lock.execute(&mut *tx).await.unwrap();
    for n in 1..=60 {
        assert_eq!(app.execute(&id, Add(1, 10)).await.unwrap().reply, n * 10);
        assert_eq!(load::<Tally>(&app, &id).await.events, n as u64 * 10);
    }
    // The process is gone before any could be stored.
    drop(app);
    tx.rollback().await.unwrap();
    let app = open(&database).await;
    assert_eq!(app.execute(&id, Add(1, 5)).await.unwrap().reply, 605);
    stored_at(&database, 605).await;
    assert_eq!(load::<Tally>(&app, &id).await, whole(&app, &id).await.0);
}

#[tokio::test]
async fn a_users_transaction_writes_no_snapshot() {
    let (database, id) = (database().await, tally("a"));
    let app = open_cached(&database).await;
    for round in 0..3 {
        let mut tx = database.pool().begin().await.unwrap();
        app.execute(&id, Add(1, 30)).within(&mut tx).await.unwrap();
        let within = app.execute(&id, AtLeast(30)).within(&mut tx).await.unwrap();
        assert_eq!(within.reply, 30);
        if round < 2 {
            tx.rollback().await.unwrap();
            assert_eq!(load::<Tally>(&app, &id).await.events, 0);
        } else {
            tx.commit().await.unwrap();
        }
    }
    app.shutdown().await.unwrap();
    assert_eq!(snapshots(&database).await, []);
    let app = open_cached(&database).await;
    assert_eq!(load::<Tally>(&app, &id).await, whole(&app, &id).await.0);
    stored_at(&database, 30).await;
}

/// A state that JSON can't bring back: the sum is none as soon as it is divided by zero.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
struct Mean {
    mean: f64,
}

impl Decider for Mean {
    type Event = TallyEvent;
    type Rejection = std::convert::Infallible;

    fn evolve(&mut self, event: &TallyEvent) {
        let TallyEvent::Added { n } = event;
        self.mean = *n as f64 / 0.0;
    }
}

#[derive(Key, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct MeanId(String);

impl Identifies<Mean> for MeanId {
    fn id(&self) -> IdOf<Mean> {
        tally(&self.0)
    }

    fn snapshots() -> Option<&'static SnapshotRule<Mean>> {
        static RULE: OnceLock<SnapshotRule<Mean>> = OnceLock::new();
        Some(RULE.get_or_init(|| SnapshotRule::new("mean", 1, 0)))
    }
}

#[tokio::test]
async fn a_state_that_json_would_change_is_not_stored() {
    let database = database().await;
    let app = App::builder(database.db()).aggregate::<Mean>().start().await.unwrap();
    let warnings = Warnings::default();
    let _guard = tracing::subscriber::set_default(warnings.clone());
    app.append([any(&tally("a"), vec![TallyEvent::Added { n: 1 }; 5])]).await.unwrap();
    let mean = load::<Mean>(&app, &MeanId("a".into())).await.mean;
    assert!(mean.is_infinite());
    app.shutdown().await.unwrap();
    assert_eq!(snapshots(&database).await, []);
    assert!(warnings.all().iter().any(|text| text.contains("not read back")), "{warnings:?}");
}

#[tokio::test]
async fn a_cut_stream_is_loaded_behind_a_snapshot_and_a_tombstoned_one_is_not() {
    let (database, id) = (database().await, tally("a"));
    let (app, cached) = (open(&database).await, open_cached(&database).await);
    cached.execute(&id, Add(1, 10)).await.unwrap();
    stored_at(&database, 10).await;
    app.execute(&id, Add(1, 2)).await.unwrap();
    // The snapshot is the last to know the events before the cut.
    app.truncate_before(&id, 11, "test").await.unwrap();
    for app in [&app, &cached] {
        assert_eq!(load::<Tally>(app, &id).await.sum, 12);
        assert_eq!(app.execute(&id, AtLeast(12)).await.unwrap().reply, 12);
    }
    // Named by hand it has no snapshot.
    let error = app.of::<Tally>().load(&id).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Truncated);
    app.truncate_before(&id, 12, "test").await.unwrap();
    let error = app.load::<Tally>(&id).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Truncated, "an event behind the snapshot is cut off");
    assert_eq!(load::<Tally>(&cached, &id).await.sum, 12);
    app.tombstone(&id, "test").await.unwrap();
    for app in [&app, &cached] {
        assert_eq!(app.load::<Tally>(&id).await.unwrap_err().kind(), ErrorKind::Tombstoned);
        for times in [0, 1] {
            let error = app.execute(&id, Add(1, times)).await.unwrap_err();
            let ExecuteError::Store(error) = error else { panic!("{error:?}") };
            assert_eq!(error.kind(), ErrorKind::Tombstoned);
        }
    }
}
