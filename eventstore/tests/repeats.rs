//! Repeats: an append that was made is recognised for ever, and never made twice.

use foldlog_core::Expected::{Any, Exact, Exists, NoStream};
use foldlog_core::{ErrorKind, Expected, Tenant};
use foldlog_eventstore::{AppendError, Appended, Request};
use serde_json::value::RawValue;
use sqlx::Row;
use uuid::Uuid;

use crate::support::{Bench, conflict, failure, noted, noted_many, number, request, run};

/// What an answer says, without whether it was a repeat.
fn said(appended: &Appended) -> (Vec<(u64, Option<u64>)>, u64) {
    let streams = appended.streams.iter();
    let streams = streams.map(|s| (s.version, s.position.map(foldlog_core::Position::get)));
    (streams.collect(), appended.token.position().get())
}

async fn repeat(bench: &Bench, request: &Request, first: &Appended) -> Appended {
    let again = bench.store.append(request).await.unwrap();
    assert!(again.repeated && !first.repeated);
    assert_eq!(said(&again), said(first));
    again
}

#[tokio::test]
async fn the_same_request_again_is_answered_as_the_first_time() {
    let bench = Bench::new().await;
    bench.append("note-old", Any, 1).await;
    let mut session = bench.session().await;
    let kinds: [(&str, [Expected; 2]); 5] = [
        ("ids of events, a new stream", [NoStream, Exact(1)]),
        ("ids of events, a later version", [Exact(1), NoStream]),
        ("a receipt, any", [Any, Exact(1)]),
        ("a receipt, exists", [NoStream, Exists]),
        ("a receipt, both", [Any, Any]),
    ];
    for (n, (what, [one, two])) in (0_u32..).zip(kinds) {
        // The stream that must be there is there.
        let name = |k: u32, expected| {
            let there = matches!(expected, Exact(_) | Exists);
            (format!("note-{n}-{k}"), there)
        };
        let (names, expectations) = ([name(1, one), name(2, two)], [one, two]);
        for (stream, there) in &names {
            if *there {
                bench.append(stream, NoStream, 0).await;
            }
        }
        let parts = names.iter().zip(expectations).map(|((s, _), e)| noted_many(s, e, 1, 2));
        let request = request(parts);
        let first = bench.store.append(&request).await.unwrap();
        repeat(&bench, &request, &first).await;
        for (stream, _) in &names {
            bench.append(stream, Any, 7).await;
        }
        repeat(&bench, &request.clone(), &first).await;
        // In a transaction of the user's, too.
        run(&mut session, "begin").await;
        let again = bench.store.append_in(&mut session, &request).await.unwrap();
        assert!(again.repeated, "{what}");
        run(&mut session, "commit").await;
        for (stream, there) in &names {
            assert_eq!(bench.stream(stream).await.len(), 3 + usize::from(*there), "{what}");
        }
    }
}

#[tokio::test]
async fn what_only_looks_like_a_repeat_is_a_conflict() {
    let bench = Bench::new().await;
    let first = request([noted_many("note-a", NoStream, 1, 2)]);
    bench.store.append(&first).await.unwrap();
    // The same content is another request: its events have ids of their own.
    let twin = request([noted_many("note-a", NoStream, 1, 2)]);
    assert_eq!(conflict(bench.store.append(&twin).await).2, 2);
    // Half of it is there by another hand.
    let two = request([noted("note-b", NoStream, 1), noted("note-c", NoStream, 1)]);
    bench.append("note-b", NoStream, 1).await;
    assert_eq!(conflict(bench.store.append(&two).await).0, "note-b");
    assert!(bench.stream("note-c").await.is_empty());
}

#[tokio::test]
async fn an_id_stands_for_its_content_for_ever() {
    let bench = Bench::new().await;
    let id = Uuid::now_v7();
    let reply = |json: &str| RawValue::from_string(json.to_owned()).unwrap();
    let words = "{ \"b\" : 1.50,\"a\":\"\\u00e9 é\", \"b\":2 }";
    let original = request([noted("note-a", NoStream, 1)]).id(id).reply(reply(words));
    let first = bench.store.append(&original).await.unwrap();
    assert!(first.reply.is_none());
    let again = repeat(&bench, &original, &first).await;
    assert_eq!(again.reply.unwrap().get(), words, "byte for byte");
    // Another expectation, even one that fails, and another reply: the content is the same.
    for expected in [Any, Exists, NoStream, Exact(1), Exact(9)] {
        let request = request([noted("note-a", expected, 1)]).id(id).reply(reply("0"));
        let again = repeat(&bench, &request, &first).await;
        assert_eq!(again.reply.unwrap().get(), words);
    }
    for other in [
        vec![noted("note-a", Any, 2)],
        vec![noted("note-b", NoStream, 1)],
        vec![noted_many("note-a", Any, 1, 2)],
        vec![noted("note-a", Any, 1), noted("note-b", Any, 1)],
        vec![noted_many("note-a", Any, 0, 0)],
    ] {
        let error = failure(bench.store.append(&request(other).id(id)).await);
        assert_eq!(error.kind(), ErrorKind::IdReused);
        assert!(error.to_string().contains(&id.to_string()), "{error}");
    }
    assert_eq!(bench.all().await, ["note-a@1"]);
    let receipt = bench.store.receipt(&Tenant::default(), id).await.unwrap().unwrap();
    assert_eq!((receipt.versions, receipt.token), (vec![1], first.token));
    assert_eq!(receipt.reply.unwrap().get(), words);
}

#[tokio::test]
async fn what_runs_together_in_text_is_told_apart() {
    use foldlog_eventstore::StreamEvents;
    let bench = Bench::new().await;
    let id = Uuid::now_v7();
    let event = crate::support::event("b-2", "\"a-b\"");
    let name = crate::support::name;
    let one = vec![StreamEvents::raw(name("note-1"), Any, vec![event])];
    let three = ["note-1", "b-2", "\"a-b\""];
    let three = three.map(|s| StreamEvents::raw(name(s), Any, Vec::new()));
    bench.store.append(&request(one).id(id)).await.unwrap();
    let error = failure(bench.store.append(&request(three).id(id)).await);
    assert_eq!(error.kind(), ErrorKind::IdReused);
}

#[tokio::test]
async fn a_command_is_known_by_what_it_stands_for() {
    let bench = Bench::new().await;
    let id = Uuid::now_v7();
    let first = request([noted("note-a", NoStream, 1)]).id(id).stands_for("open account 1");
    let first = bench.store.append(&first).await.unwrap();
    // It decided otherwise the second time, even for other streams.
    let parts = [noted("note-b", Any, 2), noted("note-c", Any, 3)];
    let second = request(parts).id(id).stands_for("open account 1");
    let again = bench.store.append(&second).await.unwrap();
    assert!(again.repeated);
    assert_eq!(again.token, first.token);
    let third = request([noted("note-a", Any, 1)]).id(id).stands_for("close account 1");
    assert_eq!(failure(bench.store.append(&third).await).kind(), ErrorKind::IdReused);
    assert_eq!(bench.all().await, ["note-a@1"]);
}

#[tokio::test]
async fn an_id_of_one_tenant_says_nothing_to_another() {
    let bench = Bench::new().await;
    let id = Uuid::now_v7();
    let tenants = ["", "a", "b"].map(|name| Tenant::new(name).unwrap());
    for tenant in &tenants {
        let part = noted_many("note-a", Any, 1, 1);
        let name = foldlog_core::StreamName::parse(tenant, "note-a").unwrap();
        let part = if tenant.as_str().is_empty() {
            part
        } else {
            let event = crate::support::event("Noted", "1");
            foldlog_eventstore::StreamEvents::raw(name, Any, vec![event])
        };
        let appended = bench.store.append(&request([part]).id(id)).await.unwrap();
        assert_eq!((appended.repeated, appended.streams[0].version), (false, 1), "{tenant:?}");
    }
}

#[tokio::test]
async fn a_rejected_request_leaves_no_receipt_and_is_judged_again() {
    let bench = Bench::new().await;
    let id = Uuid::now_v7();
    let request = request([noted("note-a", Exists, 1)]).id(id);
    conflict(bench.store.append(&request).await);
    assert!(bench.store.receipt(&Tenant::default(), id).await.unwrap().is_none());
    bench.append("note-a", Any, 0).await;
    assert!(!bench.store.append(&request).await.unwrap().repeated);
}

#[tokio::test]
async fn of_two_appends_under_one_id_at_once_one_is_the_repeat() {
    let bench = Bench::new().await;
    let cases = [
        ("note-a", "commit"),
        ("note-b", "commit"),
        ("note-a", "rollback"),
        ("note-b", "rollback"),
    ];
    for (count, (second_stream, end)) in (1..).zip(cases) {
        let id = Uuid::now_v7();
        let of = |stream: &str| request([noted(stream, Any, 1)]).id(id).stands_for("one thing");
        let mut session = bench.begun().await;
        bench.store.append_in(&mut session, &of("note-a")).await.unwrap();
        let second = bench.appending(of(second_stream));
        bench.waiting(1).await;
        run(&mut session, end).await;
        let second = second.await.unwrap().unwrap();
        assert_eq!(second.repeated, end == "commit", "{second_stream} {end}");
        assert_eq!(bench.all().await.len(), count, "{second_stream} {end}");
    }
}

#[tokio::test]
async fn an_append_whose_connection_is_killed_is_made_once() {
    for expected in [Any, NoStream] {
        let bench = Bench::new().await;
        let mut blocker = bench.begun().await;
        bench.append_in(&mut blocker, "note-a").await;
        let request = request([noted("note-a", expected, 1), noted("note-b", expected, 1)]);
        let appending = bench.appending(request.clone());
        bench.waiting(1).await;
        let mut session = bench.session().await;
        let killed = sqlx::query(
            "select pg_terminate_backend(pid, 20000) from pg_stat_activity
            where datname = current_database() and wait_event_type = 'Lock'",
        );
        assert!(killed.fetch_one(&mut session).await.unwrap().get::<bool, _>(0));
        // It comes back by itself, and waits again.
        bench.waiting(1).await;
        run(&mut blocker, "rollback").await;
        let appended = appending.await.unwrap().unwrap();
        assert!(!appended.repeated);
        repeat(&bench, &request, &appended).await;
        assert_eq!(bench.all().await, ["note-a@1", "note-b@1"]);
    }
}

#[tokio::test]
async fn an_append_whose_answer_was_lost_is_recognised() {
    for expected in [Any, NoStream] {
        let bench = Bench::new().await;
        let mut session = bench.session().await;
        let request = request([noted("note-a", expected, 1)]);
        // Done, and nobody was told: dropped while the server was at it.
        let mut blocker = bench.begun().await;
        run(&mut blocker, "select pg_advisory_xact_lock(foldlog.lock_key(1, 0, 0))").await;
        let appending = bench.appending(request.clone());
        bench.waiting(1).await;
        appending.abort();
        assert!(appending.await.unwrap_err().is_cancelled());
        run(&mut blocker, "rollback").await;
        foldlog_testkit::wait_until(crate::support::PATIENCE, async || {
            let busy = "select count(*) from pg_stat_activity
                where datname = current_database() and state = 'active'";
            number(&mut session, busy).await == 1
        })
        .await;
        let appended = bench.store.append(&request).await.unwrap();
        assert_eq!(appended.streams[0].version, 1);
        assert_eq!(bench.all().await, ["note-a@1"], "once, whatever became of the first");
    }
}

#[tokio::test]
async fn an_id_that_waits_too_long_is_busy() {
    let bench = Bench::new().await;
    let id = Uuid::now_v7();
    let mut session = bench.begun().await;
    let first = request([noted("note-a", Any, 1)]).id(id);
    bench.store.append_in(&mut session, &first).await.unwrap();
    let mut other = bench.begun().await;
    run(&mut other, "set local lock_timeout = '10ms'").await;
    let second = request([noted("note-b", Any, 1)]).id(id);
    let busy = bench.store.append_in(&mut other, &second).await;
    assert!(matches!(busy, Err(AppendError::Busy { .. })), "{busy:?}");
}

#[tokio::test]
async fn ids_that_are_not_the_same_never_wait_for_each_other() {
    let bench = Bench::new().await;
    bench.append("note-hot", Any, 1).await;
    // Two ids that fall together in twelve bits of their hash.
    let sql = "with i as materialized (
            select n, lpad(n::text, 32, '0')::uuid as id from generate_series(1, 2000) n)
        select min(i.id::text), max(i.id::text) from i
        group by foldlog.lock_bucket('', i.id::text) having count(*) > 1 limit 1";
    let pair = sqlx::query(sql).fetch_one(bench.database.pool()).await.unwrap();
    let [one, two] = [0, 1].map(|n| pair.get::<String, _>(n).parse::<Uuid>().unwrap());
    let mut first = bench.begun().await;
    let cold = request([noted("note-cold", Any, 1)]).id(one);
    bench.store.append_in(&mut first, &cold).await.unwrap();
    // It holds the hot stream; were it to wait for the first one's id, they would deadlock.
    let mut second = bench.begun().await;
    run(&mut second, "set local lock_timeout = '1s'").await;
    let hot = request([noted("note-hot", Any, 2)]).id(two);
    bench.store.append_in(&mut second, &hot).await.unwrap();
    run(&mut second, "commit").await;
    bench.append_in(&mut first, "note-hot").await;
    run(&mut first, "commit").await;
    assert_eq!(bench.stream("note-hot").await.len(), 3);
}
