//! Failing batches: bisected, stopped at the named event, never skipped; what may pass is repeated.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use foldlog_core::{Encoded, Error, ErrorKind, Expected, SliceClass, StreamName, Tenant};
use foldlog_eventstore::{Request, StreamEvents};
use foldlog_projections::{Batch, BoxError, Projection, Projections, Registered, Status, Workers};
use serde_json::value::RawValue;
use sqlx::PgConnection;

use crate::domain::{AccountEvent, Balance, account, deposit};
use crate::hand::{hand, write};
use crate::support::{Bench, Running, status};

const STOPPED: &str = "select count(*) > 0 from foldlog.checkpoint where stopped_at is not null";
const SECRET: &str = "4111-secret-1111";

fn note(text: &str) -> AccountEvent {
    AccountEvent::Noted { text: text.to_owned() }
}

/// What the account events do not know.
async fn put_raw(bench: &Bench, id: &str, kind: &'static str, json: &str) {
    let name = StreamName::new(&Tenant::default(), "account", id).unwrap();
    let payload = RawValue::from_string(json.to_owned()).unwrap();
    let events =
        StreamEvents::raw(name, Expected::Any, vec![Encoded { kind, payload, tags: vec![] }]);
    bench.store.append(&Request::new([events]).unwrap()).await.unwrap();
}

async fn stopped(projections: &Projections, name: &str) -> (Status, String) {
    let all = status(projections, name).await;
    let mut stopped = all.into_iter().filter(|status| status.stopped.is_some());
    let status = stopped.next().unwrap();
    assert!(stopped.next().is_none(), "only one class stops");
    let why = status.stopped.clone().unwrap().1;
    (status, why)
}

/// Streams of four classes with events; the middle one of "a" is the poison that `put` adds.
async fn around(bench: &Bench, poison: impl AsyncFnOnce()) {
    for n in 0..8 {
        bench.put(&account(&format!("b{n}")), deposit(n)).await;
        bench.put(&account("a"), deposit(n)).await;
    }
    poison().await;
    for n in 0..8 {
        bench.put(&account("a"), deposit(n)).await;
        bench.put(&account(&format!("b{n}")), deposit(n)).await;
    }
}

async fn assert_view_stopped_at_the_ninth_event(bench: &Bench, says: &str) {
    let projections = bench.open([Registered::view::<Balance>().unwrap()]).await;
    let running = Running::start(&projections, Workers::default());
    bench.until(STOPPED).await;
    let (status, why) = stopped(&projections, "balance").await;
    assert_eq!(status.class, SliceClass::of_key(4, b"account-a").unwrap());
    assert_eq!(status.owner, None);
    assert!(why.contains("event 9 of stream account-a") && why.contains(says), "{why}");
    assert!(!why.contains(SECRET), "{why}");
    let (at, _) = status.stopped.unwrap();
    assert!(status.position < at);
    let row = projections.view::<Balance>(Tenant::default()).get(&account("a")).await.unwrap();
    assert_eq!(row.unwrap().events, 8);
    // Everything of the class below the event is applied, and nothing behind it; others go on.
    bench
        .until(
            "select bool_and(c.position >= e.position) = true
            from foldlog.event e join foldlog.checkpoint c on e.slice & 3 = c.remainder
            where c.stopped_at is null or e.position < c.stopped_at",
        )
        .await;
    let behind: i64 = bench
        .value(
            "select count(*) from foldlog_view.balance v, foldlog.checkpoint c
            join foldlog.stream s on s.slice & 3 = c.remainder
            where c.stopped_at is not null and 'account-' || v.account = s.name
                and v.foldlog_position > c.stopped_at",
        )
        .await;
    assert_eq!(behind, 0);
    running.end().await;
}

#[tokio::test]
async fn an_event_of_an_unknown_type_stops_its_class_there() {
    let bench = Bench::new().await;
    let json = format!("{{\"card\":\"{SECRET}\"}}");
    around(&bench, async || put_raw(&bench, "a", "Unheard", &json).await).await;
    assert_view_stopped_at_the_ninth_event(&bench, "type Unheard").await;
}

#[tokio::test]
async fn a_payload_that_does_not_fit_stops_its_class_there_and_is_not_quoted() {
    let bench = Bench::new().await;
    let json = format!("{{\"cents\":\"{SECRET}\"}}");
    around(&bench, async || put_raw(&bench, "a", "Deposited", &json).await).await;
    assert_view_stopped_at_the_ninth_event(&bench, "type Deposited").await;
}

#[tokio::test]
async fn a_panic_in_a_view_stops_its_class_there() {
    let bench = Bench::new().await;
    around(&bench, async || _ = bench.put(&account("a"), note("panic")).await).await;
    assert_view_stopped_at_the_ninth_event(&bench, "told to panic").await;
}

#[tokio::test]
async fn a_handlers_error_stops_it_at_the_event_and_a_new_start_goes_on_when_mended() {
    let bench = Bench::new().await;
    let mended = Arc::new(AtomicBool::new(false));
    let is_mended = mended.clone();
    let projections = bench
        .open([hand::<1>(move |conn, events| {
            let fails = events.iter().any(|e| e.event == note("bad"));
            let fails = fails && !is_mended.load(Ordering::SeqCst);
            Box::pin(async move {
                write(conn, "one", events).await?;
                if fails { Err("it is bad".into()) } else { Ok(()) }
            })
        })])
        .await;
    around(&bench, async || _ = bench.put(&account("a"), note("bad")).await).await;
    for _ in 0..2 {
        // A new start tries again, and stops again.
        let epoch: i64 = bench.value("select epoch from foldlog.checkpoint").await;
        let running = Running::start(&projections, Workers::default());
        bench
            .until(&format!(
                "select epoch > {epoch} and owner is null and stopped_at is not null
                from foldlog.checkpoint"
            ))
            .await;
        let (_, why) = stopped(&projections, "hand").await;
        assert!(why.contains("event 9 of stream account-a") && why.ends_with("it is bad"), "{why}");
        assert_eq!(bench.ledger().await.len(), 16);
        running.end().await;
    }
    mended.store(true, Ordering::SeqCst);
    let running = Running::start(&projections, Workers::default());
    bench.caught_up("hand", "account").await;
    bench.assert_ledger_is_exact().await;
    assert_eq!(status(&projections, "hand").await.remove(0).stopped, None);
    running.end().await;
}

/// An error as programs wrap them.
#[derive(Debug, thiserror::Error)]
#[error("the mailer failed")]
struct Wrapped(#[source] BoxError);

#[tokio::test]
async fn what_may_pass_is_tried_again_and_stops_nothing() {
    let bench = Bench::new().await;
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let projections = bench
        .open([hand::<1>(move |conn, events| {
            let call = counted.fetch_add(1, Ordering::SeqCst);
            Box::pin(async move {
                write(conn, "one", events).await?;
                let code = match call % 8 {
                    0 => "40001",
                    1 => "40P01",
                    2 => "55P03",
                    3 => "53100",
                    4 | 5 => return Err(Error::new(ErrorKind::Busy, "busy").into()),
                    _ => return Ok(()),
                };
                let raise =
                    format!("do $$ begin raise exception 'x' using errcode = '{code}'; end $$");
                let raised = sqlx::raw_sql(sqlx::AssertSqlSafe(raise)).execute(conn).await;
                let error: BoxError = raised.unwrap_err().into();
                Err(if call.is_multiple_of(2) { error } else { Wrapped(error).into() })
            })
        })])
        .await;
    let running = Running::start(&projections, Workers::default());
    bench.put(&account("a"), [deposit(1), deposit(2)]).await;
    bench.caught_up("hand", "account").await;
    assert!(calls.load(Ordering::SeqCst) >= 7);
    bench.assert_ledger_is_exact().await;
    running.end().await;
}

#[tokio::test]
async fn a_view_behind_a_lock_timeout_is_tried_again_and_stops_nothing() {
    let bench = Bench::new().await;
    let name = bench.database.name();
    bench.run(&format!("alter database {name} set lock_timeout = '20ms'")).await;
    let projections = bench.open([Registered::view::<Balance>().unwrap()]).await;
    let running = Running::start(&projections, Workers::default());
    bench.until("select bool_and(owner is not null) from foldlog.checkpoint").await;
    let holder = bench.holding("lock table foldlog_view.balance in exclusive mode").await;
    bench.put(&account("a"), deposit(1)).await;
    for _ in 0..4 {
        bench.workers_waiting(1).await;
        bench.workers_waiting(0).await;
    }
    drop(holder);
    bench.caught_up("balance", "account").await;
    bench.assert_folded::<Balance>().await;
    assert!(!bench.value::<bool>(STOPPED).await);
    running.end().await;
}

#[tokio::test]
async fn an_error_of_foldlog_that_a_handler_passes_on_does_not_quote_the_payload() {
    let bench = Bench::new().await;
    let projections = bench
        .open([hand::<1>(|_, events| {
            let event = events.first().unwrap().clone();
            Box::pin(async move {
                let AccountEvent::Noted { text } = event.event else { return Ok(()) };
                let cause = serde_json::from_value::<i64>(text.into()).unwrap_err();
                assert!(cause.to_string().contains(SECRET), "it would be quoted: {cause}");
                let own = Error::new(ErrorKind::Decode, "it can't be read").with_source(cause);
                Err(Wrapped(own.into()).into())
            })
        })])
        .await;
    bench.put(&account("a"), note(SECRET)).await;
    let running = Running::start(&projections, Workers::default());
    bench.until(STOPPED).await;
    let (_, why) = stopped(&projections, "hand").await;
    assert!(why.ends_with("the mailer failed: it can't be read"), "{why}");
    running.end().await;
}

/// Counts in memory what it has seen since it was cloned, and fails or panics once in between.
#[derive(Clone)]
struct Counts {
    seen: i64,
    failures: Arc<AtomicUsize>,
}

impl Projection for Counts {
    const NAME: &'static str = "counts, by hand";
    type Event = AccountEvent;

    async fn apply(
        &mut self,
        conn: &mut PgConnection,
        batch: &Batch<AccountEvent>,
    ) -> Result<(), BoxError> {
        self.seen += 1;
        let note = format!("call {}", self.seen);
        for event in batch {
            sqlx::query("insert into public.ledger values ($1, $2, $3)")
                .bind(&note)
                .bind(event.name.as_str())
                .bind(i64::try_from(event.version)?)
                .execute(&mut *conn)
                .await?;
        }
        match self.failures.fetch_add(1, Ordering::SeqCst) {
            0 => Err("the first call fails".into()),
            1 => panic!("the second panics"),
            _ => Ok(()),
        }
    }
}

#[tokio::test]
async fn after_a_failure_a_fresh_clone_tries_again_and_writes_commit_with_the_checkpoint() {
    let bench = Bench::new().await;
    let counts = Counts { seen: 0, failures: Arc::default() };
    let projections = bench.open([Registered::projection(counts).unwrap()]).await;
    bench.put(&account("a"), deposit(1)).await;
    let running = Running::start(&projections, Workers::default());
    bench.caught_up("counts, by hand", "account").await;
    bench.put(&account("a"), deposit(2)).await;
    bench.caught_up("counts, by hand", "account").await;
    bench.assert_ledger_is_exact().await;
    let calls: Vec<String> = bench.ledger().await.into_iter().map(|(who, ..)| who).collect();
    assert_eq!(calls, ["call 1", "call 2"]);
    running.end().await;
    // A name that no table could have does not keep it from being retired.
    projections.retire("counts, by hand").await.unwrap();
    assert!(status(&projections, "counts, by hand").await.is_empty());
}
