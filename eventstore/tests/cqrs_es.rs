//! Imports from cqrs-es: tables as it makes them, payloads as serde writes them.

use foldlog_core::{Decider, Encoded, Error, Event, EventSet, RawEvent, StreamName, Tag};
use foldlog_eventstore::{CqrsEs, CqrsEsError, CqrsEsReport, PayloadForm};
use serde::{Deserialize, Serialize};
use std::time::{Duration, SystemTime};

use crate::support::{Bench, name, number, run, text as text_of};

/// As postgres-es creates it.
pub(crate) const TABLE: &str = "create table events (
    aggregate_type text not null,
    aggregate_id text not null,
    sequence bigint check (sequence >= 0) not null,
    event_type text not null,
    event_version text not null,
    payload json not null,
    metadata json not null,
    primary key (aggregate_type, aggregate_id, sequence))";

/// Two accounts and a loan, as `serde_json::to_value` writes them; the second account is the older one.
const ROWS: &str = r#"insert into events values
    ('bank-account', 'ada', 1, 'Opened', '1.0', '{"Opened":{"owner":"Ada"}}', '{"time":"2024-03-02T10:00:00Z"}'),
    ('bank-account', 'ada', 2, 'Deposited', '1.0', '{"Deposited":{"cents":500}}',
        '{"time":"2024-03-04T10:00:00.25+00:00","correlation_id":"c-1","user":"teller"}'),
    ('bank-account', 'ada', 3, 'Closed', '1.0', '"Closed"', '{"time":"2024-03-04T09:00:00Z"}'),
    ('bank-account', 'bob-1', 1, 'Opened', '1.0', '{"Opened":{"owner":"Bob"}}', '{"time":"2024-03-01T10:00:00Z"}'),
    ('bank-account', 'bob-1', 2, 'Moved', '1.0', '{"Moved":[3,-4]}', '{"time":"2024-03-05T10:00:00Z"}'),
    ('loan', 'x', 1, 'Named', '2.1', '{"Named":"Ada"}', '{"time":"2024-03-03T10:00:00+02:00"}')"#;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum AccountEvent {
    Opened { owner: String },
    Deposited { cents: i64 },
    Moved(i64, i64),
    Closed,
}

impl EventSet for AccountEvent {
    type Stream = String;
    const CATEGORIES: &'static [&'static str] = &["account"];

    fn decode(raw: &RawEvent) -> Result<Self, Error> {
        foldlog_core::derived::decode(raw)
    }

    fn stream(name: &StreamName) -> Result<String, Error> {
        Ok(name.id::<Self>().unwrap())
    }
}

impl Event for AccountEvent {
    type Id = String;
    const CATEGORY: &'static str = "account";

    fn kinds() -> Result<&'static [&'static str], Error> {
        foldlog_core::derived::kinds::<Self>()
    }

    fn tags(&self) -> Result<Vec<Tag>, Error> {
        match self {
            Self::Moved(n, _) => Ok(vec![Tag::new("to", &n.to_string())?]),
            _ => Ok(Vec::new()),
        }
    }

    fn encode(&self) -> Result<Encoded, Error> {
        foldlog_core::derived::encode(self)
    }
}

#[derive(Default)]
struct Account(i64);

#[derive(Debug, thiserror::Error)]
#[error("refused")]
struct Refused;

impl Decider for Account {
    type Event = AccountEvent;
    type Rejection = Refused;

    fn evolve(&mut self, event: &AccountEvent) {
        if let AccountEvent::Deposited { cents } = event {
            self.0 += cents;
        }
    }
}

async fn bench(rows: &'static str) -> Bench {
    let bench = Bench::new().await;
    let mut session = bench.session().await;
    run(&mut session, TABLE).await;
    run(&mut session, rows).await;
    bench
}

fn import(bench: &Bench) -> CqrsEs<'static> {
    CqrsEs::from_db(bench.store.db())
}

fn refused(result: Result<CqrsEsReport, CqrsEsError>) -> CqrsEsReport {
    match result {
        Err(CqrsEsError::Refused(report)) => *report,
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn a_table_of_cqrs_es_comes_in_as_streams_in_the_order_of_a_field() {
    let bench = bench(ROWS).await;
    let of = || {
        let import = import(&bench).category("bank-account", "account").order_by_metadata("time");
        import.tags_of::<AccountEvent>()
    };
    let rehearsed = of().dry_run(true).verify::<Account>(10).run(&bench.store).await.unwrap();
    assert!(rehearsed.problems.is_empty(), "{rehearsed}");
    assert_eq!((rehearsed.imported, rehearsed.verified), (0, 2));
    assert!(bench.all().await.is_empty(), "a rehearsal stores nothing");
    assert_eq!(number(&mut bench.session().await, "select count(*) from foldlog.import").await, 0);

    let report = of().verify::<Account>(10).run(&bench.store).await.unwrap();
    assert_eq!((report.imported, report.skipped, report.verified), (6, 0, 2));
    // ada@3 was written by a clock behind that of ada@2, and does not overtake it.
    let order = [
        "account-bob-1@1",
        "account-ada@1",
        "loan-x@1",
        "account-ada@2",
        "account-ada@3",
        "account-bob-1@2",
    ];
    assert_eq!(bench.all().await, order);
    let page = bench.store.read_stream(&name("account-ada"), 0, 10).await.unwrap();
    let seen: Vec<_> = page.events.iter().map(|e| (&*e.kind, e.payload.get())).collect();
    let expected =
        [("Opened", r#"{"owner":"Ada"}"#), ("Deposited", r#"{"cents":500}"#), ("Closed", "null")];
    assert_eq!(seen, expected);
    assert_eq!(
        page.events[1].metadata.as_ref().unwrap().get(),
        r#"{"correlation_id":"c-1","user":{"time":"2024-03-04T10:00:00.25+00:00","user":"teller"}}"#
    );
    assert_eq!(
        page.events[1].recorded,
        SystemTime::UNIX_EPOCH + Duration::from_millis(1_709_546_400_250)
    );
    assert_eq!(
        page.events[2].recorded,
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_709_542_800)
    );
    let loan = bench.store.read_stream(&name("loan-x"), 0, 10).await.unwrap();
    assert_eq!((loan.events[0].schema_version, loan.events[0].payload.get()), (2, "\"Ada\""));

    let text = report.to_string();
    for line in [
        "table events, 6 events, in the order of the metadata field \"time\"",
        "bank-account -> category account: 2 streams, 5 events, 2024-03-01 to 2024-03-05",
        "  Closed 1.0 -> schema version 1: 1",
        "- event version \"2.1\" of loan is schema version 2",
        "- aggregate type loan is category loan",
        "- 1 events of bank-account have an earlier time",
        "6 events imported, 0 were there from runs before; 2 streams folded and compared",
    ] {
        assert!(text.contains(line), "{line:?} is not in\n{text}");
    }
    let tags = "select string_agg(t.tag || '@' || t.position, ' ') from foldlog.event_tag t";
    assert_eq!(text_of(&mut bench.session().await, tags).await, "to:3@6");
    let forgotten = import(&bench).category("bank-account", "account").dry_run(true);
    let error = forgotten.verify::<Account>(10).run(&bench.store).await.unwrap_err();
    assert!(error.to_string().contains("tags_of"), "{error}");
    let again = of().verify::<Account>(1).run(&bench.store).await.unwrap();
    assert_eq!((again.imported, again.skipped, again.verified), (0, 6, 1));
}

#[tokio::test]
async fn without_a_field_events_come_stream_by_stream_and_new_ones_later() {
    let bench = bench(ROWS).await;
    let report = import(&bench).run(&bench.store).await.unwrap();
    assert!(report.order.starts_with("stream by stream"));
    assert!(report.guesses.iter().any(|guess| guess.contains("becomes category bank_account")));
    let order = [
        "bank_account-ada@1",
        "bank_account-ada@2",
        "bank_account-ada@3",
        "bank_account-bob-1@1",
        "bank_account-bob-1@2",
        "loan-x@1",
    ];
    assert_eq!(bench.all().await, order);
    let begun =
        "select count(*) from foldlog.event e join foldlog.import i on i.begun_at = e.recorded_at";
    assert_eq!(number(&mut bench.session().await, begun).await, 6);
    // The last stream has grown: the same table.
    run(
        &mut bench.session().await,
        r#"insert into events values ('loan', 'x', 2, 'Named', '2.1', '{"Named":"B"}', '{}')"#,
    )
    .await;
    assert_eq!(import(&bench).run(&bench.store).await.unwrap().imported, 1);
    // One in between: another order than the one begun with.
    run(&mut bench.session().await, r#"insert into events values ('bank-account', 'ada', 4, 'Closed', '1.0', '"Closed"', '{}')"#).await;
    let error = import(&bench).run(&bench.store).await.unwrap_err();
    assert!(error.to_string().contains("another name"), "{error}");
}

#[tokio::test]
async fn what_is_in_the_way_is_said_at_once_with_its_remedy_and_nothing_is_stored() {
    let bench = bench(
        r#"insert into events values
        ('a-b', '1', 1, 'Made', '1.0', '{"Made":{}}', '{"time":"2024-03-02T10:00:00Z"}'),
        ('a_b', '1', 1, 'Made', 'one', '{"Made":{}}', '{}'),
        ('gap', '1', 1, 'Made', '1.0', '{"Made":{}}', '{"time":"yesterday"}'),
        ('gap', '1', 3, 'Made', '1.1', '{"Made":{}}', '{"time":"1709546400"}'),
        ('zero', '1', 0, 'Made', '1.0', '{"Made":{}}', '{"time":"1709546400250"}'),
        ('odd', '1', 1, 'ThingPaid', '1.0', '{"Paid":{}}', '{"time":"2024-03-02"}')"#,
    )
    .await;
    let of = || import(&bench).order_by_metadata("time");
    let rehearsed = of().dry_run(true).run(&bench.store).await.unwrap();
    let report = refused(of().run(&bench.store).await);
    assert_eq!(rehearsed.problems, report.problems);
    let text = report.to_string();
    for line in [
        "both become category a_b",
        "event version \"one\" of a_b is no number: say schema_version(\"one\", …)",
        "1 events of gap don't follow the one before them in their stream (event 3 of gap 1, after 1)",
        "\"1.0\" and \"1.1\" of Made (gap) both become schema version 1",
        "1 streams of zero begin with sequence 0: say first_sequence(0)",
        "say PayloadForm::External if",
        "payloads(\"odd\", PayloadForm::…)",
        "1 events of gap have no time in the metadata field \"time\"",
        "nothing was imported",
    ] {
        assert!(text.contains(line), "{line:?} is not in\n{text}");
    }
    assert!(bench.all().await.is_empty());
}

#[tokio::test]
async fn what_was_told_is_not_guessed() {
    let bench = bench(
        r#"insert into events values
        ('shop', '1', 0, 'ThingPaid', 'one', '{"Paid":{}}', '{}'),
        ('shop', '1', 1, 'ThingPaid', 'one', '{"Paid":{"cents":1}}', '{}'),
        ('till', '1', 0, 'Paid', '1.1', '{"type":"Paid","cents":5}', '{}'),
        ('till', '1', 1, 'Shut', '1.0', '{"type":"Shut"}', '{}')"#,
    )
    .await;
    let told = import(&bench)
        .first_sequence(0)
        .schema_version("one", 3)
        .payloads("shop", PayloadForm::External)
        .recorded(SystemTime::UNIX_EPOCH)
        .name("told");
    let report = told.run(&bench.store).await.unwrap();
    assert_eq!(report.imported, 4);
    let shop = bench.store.read_stream(&name("shop-1"), 0, 10).await.unwrap();
    assert_eq!(
        (shop.version, &*shop.events[0].kind, shop.events[0].schema_version),
        (2, "Paid", 3)
    );
    assert_eq!(shop.events[0].recorded, SystemTime::UNIX_EPOCH);
    assert_eq!(bench.stream("till-1").await, [(1, r#"{"cents":5}"#.into()), (2, "null".into())]);
    assert!(
        report.to_string().contains("payloads of till are with their type in the field \"type\"")
    );
}

#[tokio::test]
async fn a_stream_that_means_something_else_is_found_by_the_verification() {
    let bench = bench(ROWS).await;
    let of = || import(&bench).category("bank-account", "account").tags_of::<AccountEvent>();
    of().run(&bench.store).await.unwrap();
    let mut session = bench.session().await;
    run(&mut session, "set foldlog.unguarded = on").await;
    run(&mut session, r#"update foldlog.event set payload = '{"cents":501}' where payload::text = '{"cents":500}'"#).await;
    let error = of().verify::<Account>(10).run(&bench.store).await.unwrap_err();
    assert!(matches!(error, CqrsEsError::Unverified { .. }), "{error:?}");
    assert!(error.to_string().contains("event 2 of stream account-ada"), "{error}");
    assert!(!error.to_string().contains("500"), "no payload in {error}");
    run(&mut session, "delete from foldlog.event where version = 1 and payload::text like '%Bob%'")
        .await;
    run(&mut session, r#"update foldlog.event set payload = '{"cents":500}' where payload::text = '{"cents":501}'"#).await;
    let error = of().verify::<Account>(10).run(&bench.store).await.unwrap_err();
    assert!(error.to_string().contains("stream account-bob-1"), "{error}");
}

#[tokio::test]
async fn events_that_the_program_does_not_know_are_found_before_they_are_imported() {
    let bench = bench(
        r#"insert into events values
        ('account', '1', 1, 'Renamed', '1.0', '{"Renamed":{}}', '{}')"#,
    )
    .await;
    let rehearsed = import(&bench).dry_run(true).verify::<Account>(1).run(&bench.store).await;
    let error = rehearsed.unwrap_err();
    assert!(matches!(error, CqrsEsError::Unverified { .. }), "{error:?}");
    assert!(error.to_string().contains("type Renamed"), "{error}");
    // What an append would refuse, a rehearsal finds.
    run(&mut bench.session().await, r#"insert into events values ('account', '2', 1, 'Opened', '1.0', '{"Opened":{"owner":"a\u0000"}}', '{}')"#).await;
    let rehearsed = import(&bench).dry_run(true).run(&bench.store).await.unwrap();
    assert!(rehearsed.problems[0].contains("row 2, event 1 of stream account-2"), "{rehearsed}");
    assert!(rehearsed.problems[0].contains("NUL"), "{rehearsed}");
}

#[tokio::test]
async fn another_table_in_another_schema_is_found_and_a_missing_one_named() {
    let bench = Bench::new().await;
    let mut session = bench.session().await;
    run(&mut session, "create schema \"Old Shop\"").await;
    let table = TABLE.replace("table events", "table \"Old Shop\".\"my events\"").leak();
    run(&mut session, table).await;
    let empty = import(&bench).table("\"Old Shop\".\"my events\"").run(&bench.store).await.unwrap();
    assert_eq!((empty.events(), empty.imported), (0, 0));
    for table in ["events", "events; drop table foldlog.event", "\"Old Shop\".events"] {
        let error = import(&bench).table(table).run(&bench.store).await.unwrap_err();
        assert!(matches!(error, CqrsEsError::Source(_)), "{error:?}");
    }
    assert!(bench.all().await.is_empty());
}
