//! How much is read to judge a condition: what came since, and not what was there.

use super::{append_in, on, query, read, tagged};
use crate::support::{Bench, number, request, run};

/// What this transaction has read of events and tags, of tables and of indexes.
const READ: &str = "select sum(pg_stat_get_xact_tuples_returned(c.oid))::bigint
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'foldlog' and c.relkind in ('r', 'i') and c.relname like 'event\\_%'
        and c.relname not like 'event\\_type%'";

#[tokio::test]
async fn a_condition_reads_what_came_since_and_not_what_was_there() {
    let bench = Bench::new().await;
    for part in 0..4 {
        let events = (0..500).map(|n| {
            let tag = if n % 10 == 0 { "rare:1" } else { "all:2" };
            tagged(&format!("note-{part}_{n}"), &["all:1", tag])
        });
        bench.store.append(&request(events)).await.unwrap();
    }
    let mut session = bench.session().await;
    // Without statistics, and with some; either way the plans are made anew.
    for statistics in ["select 1", "analyze foldlog.event, foldlog.event_tag, foldlog.stream"] {
        run(&mut session, statistics).await;
        for asked in [query(&[]), query(&["all:1", "rare:1"]), query(&["none:1"])] {
            let (_, condition) = read(&bench.store, &asked).await;
            // Of a popular tag some come in between, and none that matches.
            for n in 0..20 {
                if asked.items().unwrap()[0].tags.is_empty() {
                    break;
                }
                let events = tagged(&format!("note-0_{n}"), &["all:1", "all:2"]);
                bench.store.append(&request([events])).await.unwrap();
            }
            let mut session = bench.begun().await;
            append_in(&bench, &mut session, &on(&condition, [tagged("note-0_0", &[])]))
                .await
                .unwrap();
            let read = number(&mut session, READ).await;
            assert!(read < 200, "{read} were read for {asked:?}, {statistics}");
            run(&mut session, "commit").await;
        }
    }
}
