//! An append that is repeated by itself: what a later attempt says of an earlier one, of which nobody
//! knows. "It was not made" has to be proof.

use foldlog_core::ErrorKind;
use foldlog_core::Expected::{self, Any, Exact, Exists, NoStream};
use foldlog_eventstore::{AppendError, Appended, StreamEvents};
use foldlog_testkit::wait_until;
use sqlx::{AssertSqlSafe, PgConnection};
use tokio::task::JoinHandle;

use crate::support::{Bench, PATIENCE, failure, noted, number, request, run};

const TRIES: &str = "select case when is_called then last_value else 0 end from tries";

/// Holds the row of a stream, so that appends wait for it before they have written anything.
async fn held(bench: &Bench) -> PgConnection {
    bench.append("note-held", Any, 1).await;
    let mut holder = bench.begun().await;
    run(&mut holder, "select from foldlog.stream where name = 'note-held' for update").await;
    holder
}

/// An append to the held stream and one more, whose session has just been ended while it waited.
async fn ended(bench: &Bench, other: StreamEvents) -> JoinHandle<Result<Appended, AppendError>> {
    let appending = bench.appending(request([noted("note-held", Any, 2), other]));
    bench.waiting(1).await;
    end(bench).await;
    appending
}

/// Ends the session that waits.
async fn end(bench: &Bench) {
    let sql = "select count(pg_terminate_backend(pid, 20000)) from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'";
    assert_eq!(number(&mut bench.session().await, sql).await, 1);
}

/// From now on every insert of events fails with this code, and is counted.
async fn refuse(session: &mut PgConnection, code: &str) {
    let sql = format!(
        "create sequence tries;
        create function refuse() returns trigger language plpgsql as $$
        begin
            perform nextval('public.tries');
            raise exception 'refused' using errcode = '{code}';
        end $$;
        create trigger a_refusal before insert on foldlog.event
            for each statement execute function refuse()"
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(session).await.unwrap();
}

#[tokio::test]
async fn what_fails_later_for_a_reason_of_its_own_leaves_an_earlier_attempt_unknown() {
    for (code, kind, tries) in [
        // It says nothing: unknown, and at once.
        ("25006", ErrorKind::Unavailable, 1),
        ("42501", ErrorKind::Unavailable, 1),
        ("FL003", ErrorKind::Unavailable, 1),
        ("FL004", ErrorKind::Unavailable, 1),
        ("XX000", ErrorKind::Unavailable, 1),
        // A lock was waited for long enough: not once more for each attempt.
        ("55P03", ErrorKind::Unavailable, 1),
        // It may pass, and is tried again.
        ("40001", ErrorKind::Unavailable, 5),
        // The call can't succeed, and couldn't before.
        ("FL006", ErrorKind::Invalid, 1),
    ] {
        let bench = Bench::new().await;
        let mut holder = held(&bench).await;
        let mut session = bench.session().await;
        refuse(&mut session, code).await;
        let appending = ended(&bench, noted("note-other", Any, 1)).await;
        run(&mut holder, "rollback").await;
        let error = failure(appending.await.unwrap());
        assert_eq!(error.kind(), kind, "{code}: {error}");
        assert_eq!(number(&mut session, TRIES).await, tries, "{code}");
    }
}

#[tokio::test]
async fn a_conflict_denies_an_earlier_attempt_only_if_it_is_there_to_stay() {
    // `note-other` is at version 1.
    let cases: [(Expected, &str, bool); 6] = [
        (NoStream, "note-other", true),
        (Exact(0), "note-other", true),
        (Exact(2), "note-other", false),
        (Exact(u64::MAX), "note-other", false),
        (Exact(1), "note-missing", false),
        (Exists, "note-missing", false),
    ];
    let bench = Bench::new().await;
    bench.append("note-other", NoStream, 1).await;
    for (expected, stream, stays) in cases {
        let mut holder = held(&bench).await;
        let appending = ended(&bench, noted(stream, expected, 1)).await;
        run(&mut holder, "rollback").await;
        match appending.await.unwrap() {
            Err(AppendError::Conflict { expected: failed, .. }) if stays => {
                assert_eq!(failed, expected);
            }
            Err(AppendError::Store(error)) if !stays => {
                assert_eq!(error.kind(), ErrorKind::Unavailable, "{expected}: {error}");
            }
            other => panic!("{expected} on {stream}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_closed_pool_does_not_deny_the_attempt_it_cut_short() {
    let bench = Bench::new().await;
    let _holder = held(&bench).await;
    let db = bench.store.db().clone();
    let waiting = bench.appending(request([noted("note-held", Any, 2)]));
    bench.waiting(1).await;
    // The pool takes no one in from here on, and closes when the append has given back what it has.
    let closing = tokio::spawn(async move { db.own_pool().close().await });
    wait_until(PATIENCE, async || bench.store.db().own_pool().is_closed()).await;
    end(&bench).await;
    let error = failure(waiting.await.unwrap());
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    closing.await.unwrap();
    // Where nothing was attempted before, it says what it is.
    let late = request([noted("note-held", Any, 3)]);
    assert_eq!(failure(bench.store.append(&late).await).kind(), ErrorKind::Stopped);
}
