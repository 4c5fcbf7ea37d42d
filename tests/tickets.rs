//! The example of boundaries: many buyers, few seats, and a report that was read back.

use std::process::Command;

use foldlog_testkit::server;

use crate::examples::built;

#[tokio::test]
async fn every_seat_is_sold_once_and_the_report_says_so_each_time_it_runs() {
    let database = server().await.database().await;
    let program = built("tickets");
    for run in 0..2 {
        let mut tickets = Command::new(&program);
        tickets.env("DATABASE_URL", database.url());
        let output = tokio::task::spawn_blocking(move || tickets.output().unwrap()).await.unwrap();
        let (text, said) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{run}: {text}{said}");
        assert!(text.contains("48 of 48 seats sold"), "{text}");
        assert!(text.contains("at most 4 to each"), "{text}");
        assert!(text.contains("read back and verified"), "{text}");
    }
    // Each run is a tenant of its own, and each seat was sold once in each.
    let sold: i64 = sqlx::query_scalar("select count(*) from foldlog.event")
        .fetch_one(database.pool())
        .await
        .unwrap();
    assert_eq!(sold, 2 * 48);
}
