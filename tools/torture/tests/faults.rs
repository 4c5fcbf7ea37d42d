//! Faults, against a store that callers append to.

use std::time::Duration;

use fastrand::Rng;
use foldlog_testkit::wait_until;
use foldlog_torture::fault::Kind;
use foldlog_torture::history::Commit;
use futures_util::future::join_all;

use crate::support::{Battle, PATIENCE, PREPARED, battle, number};

#[test]
fn kinds_are_known_by_their_names() {
    for kind in Kind::ALL {
        assert_eq!(Kind::named(kind.name()), Some(kind));
    }
}

/// A seed whose first numbers are low: faults last as short as they ever do.
const SWIFT: u64 = 1855;

impl Battle {
    async fn strike(&self, kind: Kind, seed: u64) {
        let struck = kind.strike(&self.field, Rng::with_seed(seed)).await;
        struck.unwrap_or_else(|missed| panic!("{}: {missed}", kind.name()));
        let recorded = self.field.recorder.write().faults.iter().any(|f| f.kind == kind.name());
        assert!(recorded, "{}", kind.name());
    }

    /// Strikes until a caller in a user's transaction is answered what the fault is to cause: a busy
    /// machine brings few callers into a short one.
    async fn strike_until(&self, kind: Kind, expected: &[&str]) {
        let answered =
            || expected.iter().any(|code| self.answers.lock().unwrap().contains_key(*code));
        for _ in 0..10 {
            self.strike(kind, SWIFT).await;
            if answered() {
                return;
            }
        }
        panic!("{}: {:?}", kind.name(), self.answers);
    }

    /// Strikes beside another, which may hit the first before it has done anything: then again.
    async fn strike_beside(&self, kind: Kind, other: Kind) {
        for _ in 0..5 {
            let strikes = [kind, other].map(|kind| kind.strike(&self.field, Rng::with_seed(4)));
            let mut struck = join_all(strikes).await.into_iter();
            if struck.next().unwrap().is_ok() {
                return struck.next().unwrap().unwrap();
            }
        }
        panic!("{} is missed beside {} each time", kind.name(), other.name());
    }

    async fn assert_healed(&self) {
        let left = "select (select count(*) from pg_prepared_xacts)
            + (select count(*) from pg_db_role_setting)
            + (select count(*) from pg_stat_activity where application_name = 'torture fault')";
        // The last session of a fault takes a moment to go.
        wait_until(PATIENCE, async || number(&self.url, left).await == 0).await;
        let mut crew = self.field.crew.lock().await;
        assert_eq!((crew.living(), crew.paused().len()), (2, 0));
        drop(crew);
        assert_eq!(self.field.proxy.cuts_left(), 0);
        self.goes_on().await;
    }

    /// Every prepared append is told to the history, and is there or not as was told.
    async fn assert_prepared_are_told(&self) {
        let told = std::mem::take(&mut self.field.recorder.write().transactions);
        for transaction in &told {
            let mark = PREPARED + transaction.id;
            let sql =
                format!("select count(*) from foldlog.event where payload->>'mark' = '{mark}'");
            let expected = if transaction.commit == Commit::Done { 2 } else { 0 };
            assert_eq!(number(&self.url, &sql).await, expected, "{transaction:?}");
        }
        assert!(!told.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_that_leave_the_server_up_strike_together_and_heal() {
    use Kind::*;
    let battle = battle().await;
    battle.goes_on().await;
    let kinds = [
        KillWorker,
        PauseWorker,
        TerminateBackend,
        CancelBackend,
        CutCommit,
        CutAnswer,
        SplitPackets,
        ForeignTransaction,
        LongTransaction,
        DeadlockStorm,
    ];
    join_all(kinds.map(|kind| battle.strike(kind, SWIFT))).await;
    battle.strike(Maintenance, SWIFT).await;
    let counts = battle.field.proxy.counts();
    assert!(counts.commits_cut > 0 && counts.pieces > 0, "{counts:?}");
    assert!(counts.appends_cut + counts.answers_cut > 0, "{counts:?}");
    battle.field.heal().await.unwrap();
    battle.assert_healed().await;
    battle.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_crowds_and_crashes_strike_and_heal() {
    use Kind::*;
    let battle = battle().await;
    battle.goes_on().await;
    battle.strike_until(StatementTimeout, &["57014"]).await;
    battle.strike_until(LockTimeout, &["Busy", "55P03"]).await;
    battle.strike_until(SerializationStorm, &["40001"]).await;
    for kind in [PoolExhaustion, KillBackend, KillServer, Blackhole] {
        battle.strike(kind, SWIFT).await;
    }
    // One that outlives a crash of its own fault, and one among crashes of others.
    battle.strike(Prepared, SWIFT).await;
    battle.strike_beside(Prepared, KillServer).await;
    battle.assert_healed().await;
    battle.assert_prepared_are_told().await;
    battle.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dropped_fault_leaves_behind_is_healed() {
    let battle = battle().await;
    battle.goes_on().await;
    let mut rng = Rng::with_seed(11);
    for _ in 0..2 {
        let dropped = Kind::ALL.map(|kind| {
            let (time, rng) = (Duration::from_millis(rng.u64(0..400)), rng.fork());
            tokio::time::timeout(time, kind.strike(&battle.field, rng))
        });
        join_all(dropped).await;
        battle.field.heal().await.unwrap();
        battle.assert_healed().await;
    }
    let told = std::mem::take(&mut battle.field.recorder.write().faults);
    assert!(told.iter().all(|fault| fault.begun <= fault.ended));
    assert!(told.len() > 10, "{told:?}");
    battle.end().await;
}

#[test]
fn faults_may_run_in_tasks() {
    fn assert_send(_: impl Send) {}
    let _never = async |battle: Battle| {
        assert_send(Kind::KillServer.strike(&battle.field, Rng::new()));
        assert_send(battle.field.heal());
    };
}
