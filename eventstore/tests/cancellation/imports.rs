//! Dropped imports: whole batches, and the same import goes on behind them.

use foldlog_core::Tenant;
use foldlog_eventstore::{CqrsEs, HistoricalEvent, Import};
use foldlog_testkit::sweep;
use serde_json::value::RawValue;

use super::Narrow;
use crate::support::{name, number, run};

/// Five events of two streams of this round.
fn events(round: u32) -> Vec<HistoricalEvent> {
    let past = |stream: u32, version| {
        let payload = RawValue::from_string("1".to_owned()).unwrap();
        let stream = name(&format!("note-{round}:{stream}"));
        HistoricalEvent::new(stream, version, "Noted", payload)
    };
    vec![past(1, 1), past(2, 1), past(1, 2), past(1, 3), past(2, 2)]
}

impl Narrow {
    fn import(&self, round: u32) -> Import<'static> {
        self.store.import(format!("round {round}")).batch_events(2)
    }

    /// Whole batches are stored, and a second run of it stores the rest.
    async fn goes_on(&mut self, round: u32) {
        self.nothing_left().await;
        let done = "select coalesce((select sum(i.done) from foldlog.import i), 0)::bigint";
        let stored = "select count(*) from foldlog.event";
        let (before, events_before) =
            (number(&mut self.outside, done).await, number(&mut self.outside, stored).await);
        assert_eq!(before, events_before, "what is counted is what is stored");
        assert!([0, 2, 4].contains(&(before % 5)), "{before}");
        self.import(round).run_iter(events(round)).await.unwrap();
        assert_eq!(number(&mut self.outside, stored).await % 5, 0);
        self.nothing_left().await;
    }
}

#[tokio::test]
async fn dropped_imports_leave_whole_batches_and_go_on_behind_them() {
    let mut narrow = Narrow::new().await;
    let mut round = 0;
    // The one is the other, from an iterator.
    sweep("Import::run_iter, Import::run", async |cut| {
        round += 1;
        let imported = cut.of(narrow.import(round).run_iter(events(round))).await;
        narrow.goes_on(round).await;
        imported.is_some()
    })
    .await;
}

#[tokio::test]
async fn dropped_imports_from_cqrs_es_leave_whole_batches_and_go_on_behind_them() {
    let mut narrow = Narrow::new().await;
    run(&mut narrow.outside, crate::cqrs_es::TABLE).await;
    let rows = r#"insert into events select 'thing', a::text, v, 'Made', '1.0', '{"Made":{}}', '{}'
        from generate_series(1, 2) a, generate_series(1, 3) v"#;
    run(&mut narrow.outside, rows).await;
    let of = |narrow: &Narrow, round: u32| {
        let (name, tenant) = (format!("round {round}"), Tenant::new(&round.to_string()).unwrap());
        CqrsEs::from_db(&narrow.db).name(name).tenant(tenant).batch_events(4)
    };
    let mut round = 0;
    sweep("CqrsEs::run", async |cut| {
        round += 1;
        let imported = cut.of(of(&narrow, round).run(&narrow.store)).await;
        narrow.nothing_left().await;
        let rest = of(&narrow, round).run(&narrow.store).await.unwrap();
        assert!([0, 4, 6].contains(&rest.skipped), "{rest}");
        assert_eq!(rest.skipped + rest.imported, 6);
        narrow.nothing_left().await;
        imported.is_some()
    })
    .await;
}
