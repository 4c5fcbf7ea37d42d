//! Every future of this crate, dropped at each of its awaits: no session, transaction or lock stays,
//! and the next call does what it is asked.

mod segments;
mod servers;
mod sessions;

use foldlog_migrations::{BASE, EVENTSTORE, Migration, Set};
use foldlog_pg::{Db, Migrator, migrate_roles, segment, settled};
use foldlog_testkit::{Audit, TestDatabase, server, sweep, template, wait_until};
use sqlx::{PgConnection, Row};

use super::places::LONG;

const SETS: [Set; 2] = [BASE, EVENTSTORE];

/// A database with a log of events, whose segments are short.
async fn logged() -> TestDatabase {
    let content: Vec<_> = SETS.iter().flat_map(|set| set.migrations).map(|m| m.sql).collect();
    let prepare = async |db: Db| {
        Migrator::new(&db, &SETS).event_segment_width(4).run().await.unwrap();
    };
    template("cancellation", content.concat(), prepare).await.database().await
}

async fn session(database: &TestDatabase) -> PgConnection {
    database.db().session("test").await.unwrap()
}

async fn run(session: &mut PgConnection, sql: &'static str) {
    sqlx::raw_sql(sql).execute(session).await.unwrap_or_else(|error| panic!("{error} in {sql}"));
}

async fn number(session: &mut PgConnection, sql: &'static str) -> i64 {
    sqlx::raw_sql(sql).fetch_one(session).await.unwrap().get(0)
}

/// Of two statements each, so that half a migration would show.
const SMALL: Set = Set {
    name: "small",
    migrations: &[
        Migration {
            name: "one",
            sql: "create table public.a (); create table public.b ()",
            floor: 0,
        },
        Migration {
            name: "two",
            sql: "create table public.c (); create table public.d ()",
            floor: 0,
        },
    ],
};

/// How many migrations the database has recorded.
async fn recorded(session: &mut PgConnection) -> i64 {
    let exists = "select count(*) from pg_tables
        where (schemaname, tablename) = ('foldlog', 'migration')";
    if number(session, exists).await == 0 {
        return 0;
    }
    number(session, "select count(*) from foldlog.migration").await
}

#[tokio::test]
async fn dropped_grants_are_whole_or_absent_and_granted_by_the_next_run() {
    let database = logged().await;
    let (db, mut audit) = (database.narrow().await, Audit::of(&database).await);
    let mut outside = session(&database).await;
    sweep("migrate::migrate_roles", async |cut| {
        let clear = "delete from foldlog.migration where set_name = 'roles';
            drop function if exists foldlog.grant_roles_1;
            revoke all on all functions in schema foldlog from foldlog_reader, foldlog_writer";
        if number(&mut outside, "select count(*) from pg_roles where rolname = 'foldlog_writer'")
            .await
            == 1
        {
            run(&mut outside, clear).await;
        }
        let granted = cut.of(migrate_roles(&db)).await.map(Result::unwrap);
        audit.nothing_left_in(&db).await;
        migrate_roles(&db).await.unwrap();
        let may = "select count(*) from pg_proc p where p.pronamespace = 'foldlog'::regnamespace
            and has_function_privilege('foldlog_writer', p.oid, 'execute')";
        assert!(number(&mut outside, may).await > 10);
        granted.is_some()
    })
    .await;
}

#[tokio::test]
async fn a_dropped_migration_is_whole_or_absent_and_the_next_run_goes_on() {
    let database = server().await.database().await;
    let (db, mut audit) = (database.narrow().await, Audit::of(&database).await);
    let mut outside = session(&database).await;
    sweep("Migrator::run", async |cut| {
        let clear = "drop schema if exists foldlog cascade; drop table if exists a, b, c, d";
        run(&mut outside, clear).await;
        let ran = cut.of(Migrator::new(&db, &[SMALL]).run()).await;
        audit.nothing_left_in(&db).await;
        let tables = "select count(*) from pg_tables where schemaname = 'public'";
        let applied = recorded(&mut outside).await;
        assert_eq!(number(&mut outside, tables).await, 2 * applied, "{cut:?}");
        assert!(ran.is_none() || applied == 2);
        Migrator::new(&db, &[SMALL]).run().await.unwrap();
        assert_eq!(number(&mut outside, tables).await, 4);
        ran.is_some()
    })
    .await;
    sweep("Migrator::check", async |cut| {
        let checked = cut.of(Migrator::new(&db, &[SMALL]).check()).await;
        audit.nothing_left_in(&db).await;
        checked.is_some()
    })
    .await;
}

#[tokio::test]
async fn migrations_of_the_store_that_are_dropped_again_and_again_come_to_their_end() {
    let database = server().await.database().await;
    let (db, mut audit) = (database.narrow().await, Audit::of(&database).await);
    let mut outside = session(&database).await;
    let mut before = 0;
    sweep("Migrator::run, of the store's migrations", async |cut| {
        let ran = cut.of(Migrator::new(&db, &SETS).run()).await;
        audit.nothing_left_in(&db).await;
        let after = recorded(&mut outside).await;
        assert!(after >= before, "{before} to {after} at {cut:?}");
        before = after;
        ran.is_some()
    })
    .await;
    Migrator::new(&db, &SETS).check().await.unwrap();
}

#[tokio::test]
async fn a_migrator_dropped_while_it_waits_for_another_does_not_go_on_waiting() {
    let database = server().await.database().await;
    let db = database.narrow().await;
    let (mut holder, mut outside) = (session(&database).await, session(&database).await);
    run(&mut holder, concat!("begin;", include_str!("../sql/migration_lock.sql"))).await;
    let waiting = "select count(*) from pg_stat_activity where datname = current_database()
        and application_name = 'foldlog migrate' and wait_event_type = 'Lock'";
    tokio::select! {
        biased;
        ran = Migrator::new(&db, &SETS).run() => panic!("it did not wait: {ran:?}"),
        () = wait_until(LONG, async || number(&mut outside, waiting).await == 1) => {}
    }
    // The other one goes on migrating.
    wait_until(LONG, async || number(&mut outside, waiting).await == 0).await;
    run(&mut holder, "rollback").await;
    Migrator::new(&db, &SETS).run().await.unwrap();
}

#[tokio::test]
async fn segments_that_were_dropped_half_made_are_made_the_next_time() {
    let database = logged().await;
    let (mut audit, mut outside) = (Audit::of(&database).await, session(&database).await);
    let mut conn = session(&database).await;
    sweep("segment::ensure", async |cut| {
        run(
            &mut outside,
            "select setval('foldlog.event_position', (select last_value + 12
            from foldlog.event_position))",
        )
        .await;
        let made = cut.of(segment::ensure(&mut conn, settled::EVENT_LOG)).await;
        if made.is_none() {
            // A session of the caller's, who closes it after a cancelled call.
            conn = session(&database).await;
        }
        audit.nothing_left().await;
        segment::ensure(&mut conn, settled::EVENT_LOG).await.unwrap();
        assert_eq!(segment::ensure(&mut conn, settled::EVENT_LOG).await.unwrap(), 0);
        made.is_some()
    })
    .await;
}

#[tokio::test]
async fn dropped_questions_about_a_log_leave_the_session_in_order() {
    let database = logged().await;
    let mut audit = Audit::of(&database).await;
    let db = database.narrow().await;
    sweep("settled::store, settled::check, settled::settled, settled::holder", async |cut| {
        let mut conn = db.own_pool().acquire().await.unwrap();
        let log = settled::EVENT_LOG;
        let asked = cut.of(async {
            settled::store(&mut conn).await.unwrap();
            settled::check(&mut conn, log).await.unwrap();
            settled::settled(&mut conn, log, Default::default()).await.unwrap();
            settled::holder(&mut conn, log).await.unwrap()
        });
        let asked = asked.await;
        assert!(settled::holder(&mut conn, log).await.unwrap().is_none());
        drop(conn);
        audit.nothing_left_in(&db).await;
        if asked.is_some() {
            // The next one finds no statement prepared.
            db.own_pool().acquire().await.unwrap().close().await.unwrap();
        }
        asked.is_some()
    })
    .await;
}
