//! The bound against the draw: the proof of the settled order rests on a bound that is never above
//! what its own transaction draws after it.

use std::time::Duration;

use futures_util::future::{join_all, select_ok};
use sqlx::PgConnection;
use tokio::time::{Instant, timeout};

use crate::support::Bench;

const SESSIONS: u64 = 6;
/// A pass takes seconds. `cargo xtask soak` asks for ten million in `FOLDLOG_DRAWS`.
const DRAWS: u64 = 200_000;
/// Draws of one call.
const ROUND: u64 = 2_000;

/// A round of draws that fails at the first one that is not above its bound. The first bound of a
/// transaction is the one that counts, so each draw forgets it; the locks end now and then.
fn round(bound: &str) -> String {
    format!(
        "do $$
        declare low bigint; high bigint;
        begin
            for i in 1 .. {ROUND} loop
                low := ({bound});
                high := nextval('foldlog.event_position');
                if high <= low then
                    raise exception 'drew % at bound %', high, low using errcode = 'FL004';
                end if;
                perform set_config('foldlog.bound_0', '', true);
                if i % 100 = 0 then commit; end if;
            end loop;
        end $$"
    )
}

/// A session that does not wait for the disk: here nothing is to be kept.
async fn hasty(bench: &Bench) -> PgConnection {
    let mut session = bench.session().await;
    crate::support::run(&mut session, "set synchronous_commit = off").await;
    session
}

async fn draw(session: &mut PgConnection, sql: &str) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(session).await.map(drop)
}

#[tokio::test]
async fn a_bound_always_lies_below_what_is_drawn_after_it() {
    let bench = Bench::new().await;
    let asked = std::env::var("FOLDLOG_DRAWS").ok().map(|draws| draws.parse::<u64>().unwrap());
    let rounds = asked.unwrap_or(DRAWS).div_ceil(SESSIONS * ROUND);
    let sql = round("foldlog.bound_1(0)");
    let begun = Instant::now();
    join_all((0..SESSIONS).map(|_| async {
        let mut session = hasty(&bench).await;
        for _ in 0..rounds {
            draw(&mut session, &sql).await.unwrap();
        }
    }))
    .await;
    let mut session = bench.session().await;
    let last = crate::support::number(&mut session, "select foldlog.log_last(0)").await;
    println!("{last} draws in {:.1} s", begun.elapsed().as_secs_f64());
    assert_eq!(last.unsigned_abs(), rounds * SESSIONS * ROUND);
}

#[tokio::test]
async fn a_bound_by_scanning_the_sequence_is_too_high_now_and_then() {
    let bench = Bench::new().await;
    let sql = round("select s.last_value from foldlog.event_position s");
    // About one in forty thousand. The first to fail ends the test.
    let drawing = (0..SESSIONS).map(|_| {
        Box::pin(async {
            let mut session = hasty(&bench).await;
            loop {
                if let Err(error) = draw(&mut session, &sql).await {
                    return Ok::<_, ()>(error);
                }
            }
        })
    });
    let failed = timeout(Duration::from_secs(120), select_ok(drawing)).await;
    let (error, _) = failed.expect("the loop bites").unwrap();
    let code = error.as_database_error().and_then(|error| error.code().map(String::from));
    assert_eq!(code.as_deref(), Some("FL004"), "{error}");
}
