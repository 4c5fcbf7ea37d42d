//! Requests that make a whole call fail at the server: they fail, and not their neighbours.

use foldlog_core::ErrorKind;
use foldlog_core::Expected::{Any, Exact, NoStream};
use foldlog_eventstore::{Request, StreamEvents};
use sqlx::{AssertSqlSafe, PgConnection};

use super::{Grouped, one};
use crate::support::{event, failure, name, noted, number, request, run};

/// From now on an event of this number makes its statement fail with a code.
async fn poison(session: &mut PgConnection, n: u32, code: &str) {
    let sql = format!(
        "create function public.refuse_{n}() returns trigger language plpgsql as $$
        begin
            raise exception 'refused' using errcode = '{code}';
        end $$;
        create trigger poison_{n} before insert on foldlog.event
            for each row when (new.payload::text = '{n}') execute function public.refuse_{n}()"
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(session).await.unwrap();
}

#[tokio::test]
async fn poisons_fail_alone_wherever_they_stand() {
    let group = Grouped::new().await;
    let mut session = group.session().await;
    for (n, code) in [(666, "P0001"), (667, "23514"), (668, "22P02"), (669, "FL006")] {
        poison(&mut session, n, code).await;
    }
    let poisons = [0, 17, 18, 40, 99];
    let sent = |n: u32| {
        if poisons.contains(&n) {
            let part = noted(&format!("note-good{n}"), NoStream, 1_000 + n);
            request([part, noted("note-hot", Any, 666 + n % 4)])
        } else {
            request([noted(&format!("note-{n}"), NoStream, n), noted("note-hot", Any, 2_000 + n)])
        }
    };
    for (result, n) in group.gathered((0..100).map(sent)).await.into_iter().zip(0..) {
        if poisons.contains(&n) {
            let kind = failure(result.0).kind();
            let said = if n % 4 == 3 { ErrorKind::Invalid } else { ErrorKind::Internal };
            assert_eq!(kind, said, "{n}");
        } else {
            assert_eq!(result.version(), 1);
        }
    }
    let numbers = group.numbers().await;
    assert_eq!(numbers.len(), 2 * 95);
    assert!(numbers.keys().all(|n| !(666..670).contains(n) && !(1_000..2_000).contains(n)));
    // And what they wanted is still to be had.
    group.append("note-good17", NoStream, 17_000).await;
}

#[tokio::test]
async fn a_group_of_nothing_but_poisons_leaves_the_line_at_work() {
    let group = Grouped::new().await;
    poison(&mut group.session().await, 666, "P0001").await;
    let all = (0..50).map(|n| one(&format!("note-{n}"), NoStream, 666));
    for result in group.gathered(all).await {
        assert_eq!(failure(result.0).kind(), ErrorKind::Internal);
    }
    assert_eq!(group.append("note-1", NoStream, 1).await.streams[0].version, 1);
}

#[tokio::test]
async fn what_follows_a_poison_in_its_stream_is_judged_as_if_it_had_not_been() {
    let group = Grouped::new().await;
    poison(&mut group.session().await, 666, "P0001").await;
    let chain =
        [one("note-a", NoStream, 1), one("note-a", Exact(1), 666), one("note-a", Exact(1), 2)];
    let mut results = group.gathered(chain).await;
    assert_eq!(results[0].version(), 1);
    assert_eq!(results[2].version(), 2);
    assert_eq!(failure(results.swap_remove(1).0).kind(), ErrorKind::Internal);
}

#[tokio::test]
async fn types_that_were_lost_are_made_again_for_those_that_need_them() {
    let group = Grouped::new().await;
    let of = |kind, stream: &str, n: u32| -> Request {
        let events = vec![event(kind, &n.to_string())];
        request([StreamEvents::raw(name(stream), Any, events)])
    };
    group.store.append(&of("Lost", "note-lost", 1)).await.unwrap();
    group.store.append(&of("Gone", "memo-gone", 2)).await.unwrap();
    run(
        &mut group.session().await,
        "set foldlog.unguarded = 'on';
        delete from foldlog.event where true;
        delete from foldlog.receipt where true;
        delete from foldlog.stream where name in ('note-lost', 'memo-gone');
        delete from foldlog.event_type where name in ('Lost', 'Gone');
        delete from foldlog.category where name = 'memo'",
    )
    .await;
    let all = (10..60).map(|n| match n % 10 {
        3 => of("Lost", &format!("note-lost{n}"), n),
        7 => of("Gone", &format!("memo-gone{n}"), n),
        _ => one(&format!("note-{n}"), NoStream, n),
    });
    for result in group.gathered(all.collect::<Vec<_>>()).await {
        assert_eq!(result.version(), 1);
    }
    let numbers: Vec<_> = group.numbers().await.into_keys().collect();
    assert_eq!(numbers, (10..60).collect::<Vec<_>>());
    let types = "select count(*) from foldlog.event_type where name in ('Lost', 'Gone')";
    assert_eq!(number(&mut group.session().await, types).await, 2);
}
