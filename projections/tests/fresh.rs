//! Exact reads: whatever the workers do, a row read fresh holds every event that is committed.

use foldlog_core::Tenant;
use foldlog_projections::{Registered, Workers};

use crate::domain::{AccountEvent, Balance, account, deposit};
use crate::support::{Bench, Running};

fn balance() -> Registered {
    Registered::view::<Balance>().unwrap()
}

#[tokio::test]
async fn a_fresh_row_is_exact_without_any_worker() {
    let bench = Bench::new().await;
    let projections = bench.open([balance()]).await;
    let views = projections.view::<Balance>(Tenant::default());
    let id = account("a");
    assert_eq!(views.fresh(&id).await.unwrap(), None);
    for n in 1..=5 {
        bench.put(&id, deposit(n)).await;
        let row = views.fresh(&id).await.unwrap().unwrap();
        assert_eq!((row.events, row.cents), (n, n * (n + 1) / 2));
    }
    bench.put(&id, AccountEvent::Closed).await;
    assert_eq!(views.fresh(&id).await.unwrap(), None);
    bench.put(&id, deposit(9)).await;
    assert_eq!(views.fresh(&id).await.unwrap().unwrap().cents, 9);
    assert_eq!(views.get(&id).await.unwrap(), None);
}

#[tokio::test]
async fn a_fresh_row_is_exact_behind_a_worker_that_stopped_on_the_way() {
    let bench = Bench::new().await;
    let projections = bench.open([balance()]).await;
    let views = projections.view::<Balance>(Tenant::default());
    let (kept, gone) = (account("kept"), account("gone"));
    bench.put(&kept, [deposit(1), deposit(2)]).await;
    bench.put(&gone, [deposit(1), AccountEvent::Closed]).await;
    let running = Running::start(&projections, Workers::default());
    bench.caught_up("balance", "account").await;
    running.end().await;
    // The deleted row's events stay behind its checkpoint: they are not folded again.
    assert_eq!(views.fresh(&gone).await.unwrap(), None);
    bench.put(&kept, [deposit(3), deposit(4)]).await;
    bench.put(&gone, deposit(5)).await;
    let row = views.fresh(&kept).await.unwrap().unwrap();
    assert_eq!((row.events, row.cents), (4, 10));
    let row = views.fresh(&gone).await.unwrap().unwrap();
    assert_eq!((row.events, row.cents), (1, 5));
    assert_eq!(views.get(&kept).await.unwrap().unwrap().events, 2);
    // Nothing was written by reading.
    let rows: i64 = bench.value("select count(*) from foldlog_view.balance").await;
    assert_eq!(rows, 1);
}

#[tokio::test]
async fn a_fresh_row_spans_a_tail_of_several_pages() {
    let bench = Bench::new().await;
    let projections = bench.open([balance()]).await;
    let id = account("long");
    // The pages of the tail end at 1,000 events: one more, as many, and one less than two of them.
    for (n, total) in [(1_000, 1_000), (1, 1_001), (998, 1_999), (1, 2_000), (1, 2_001)] {
        bench.put(&id, (0..n).map(|_| deposit(1)).collect::<Vec<_>>()).await;
        let row = projections.view::<Balance>(Tenant::default()).fresh(&id).await.unwrap().unwrap();
        assert_eq!(row.events, total);
    }
}

#[tokio::test]
async fn a_fresh_row_holds_each_append_while_a_worker_and_others_write() {
    let bench = Bench::new().await;
    let projections = bench.open([balance()]).await;
    let running = Running::start(&projections, Workers::default());
    let tenants = ["", "blue"].map(|name| Tenant::new(name).unwrap());
    let each = (0..6_i64).map(|task| {
        let (bench, projections) = (&bench, &projections);
        let tenant = tenants.get(usize::try_from(task).unwrap() % 2).unwrap();
        async move {
            let id = account(&format!("a{}", task / 2));
            let views = projections.view::<Balance>(tenant.clone());
            let mut events = 0;
            for n in 0..60 {
                if n % 13 == 12 {
                    bench.put_for(tenant, &id, AccountEvent::Closed).await;
                    events = 0;
                    assert_eq!(views.fresh(&id).await.unwrap(), None);
                }
                bench.put_for(tenant, &id, deposit(n)).await;
                events += 1;
                let row = views.fresh(&id).await.unwrap().unwrap();
                assert_eq!(row.events, events, "{task} {n}");
            }
        }
    });
    futures_util::future::join_all(each).await;
    bench.caught_up("balance", "account").await;
    bench.assert_folded::<Balance>().await;
    running.end().await;
}

#[tokio::test]
async fn a_fresh_row_holds_an_append_that_is_not_settled() {
    let bench = Bench::new().await;
    let projections = bench.open([balance()]).await;
    let running = Running::start(&projections, Workers::default());
    bench.put(&account("a"), deposit(1)).await;
    bench.caught_up("balance", "account").await;
    let mut open = bench.holding("select").await;
    let request = foldlog_eventstore::any(&account("open"), deposit(1));
    let request = foldlog_eventstore::Request::new([request]).unwrap();
    bench.store.append_in(&mut open, &request).await.unwrap();
    bench.put(&account("a"), deposit(2)).await;
    let views = projections.view::<Balance>(Tenant::default());
    assert_eq!(views.fresh(&account("a")).await.unwrap().unwrap().cents, 3);
    assert_eq!(views.fresh(&account("open")).await.unwrap(), None);
    crate::support::run(&mut open, "commit").await;
    assert_eq!(views.fresh(&account("open")).await.unwrap().unwrap().cents, 1);
    running.end().await;
}
