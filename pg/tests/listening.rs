//! LISTEN: woken by a notification, and again after the connection was cut.

use std::sync::Mutex;

use foldlog_pg::Listener;
use foldlog_testkit::{TestDatabase, server, wait_until};
use tokio_util::sync::CancellationToken;

use super::places::LONG;

const CHANNEL: &str = "odd \"name\"";

async fn notify(database: &TestDatabase, payload: &str) {
    let sql = "select pg_notify($1, $2)";
    sqlx::query(sql).bind(CHANNEL).bind(payload).execute(database.pool()).await.unwrap();
}

#[tokio::test]
async fn a_listener_hears_comes_back_after_a_cut_and_ends_when_asked() {
    let database = server().await.database().await;
    let (heard, shutdown) = (Mutex::new(Vec::<String>::new()), CancellationToken::new());
    let count = |payload: &str| heard.lock().unwrap().iter().filter(|it| *it == payload).count();
    let db = database.db();
    let on_wake = |payload: &str| heard.lock().unwrap().push(payload.to_owned());
    let listening = Listener::run(db.direct(), CHANNEL, on_wake, shutdown.clone());
    let script = async {
        wait_until(LONG, async || count("") == 1).await;
        notify(&database, "one").await;
        wait_until(LONG, async || count("one") == 1).await;
        let cut = "select pg_terminate_backend(pid) from pg_stat_activity \
            where application_name = 'foldlog listen' and datname = current_database()";
        sqlx::query(cut).execute(database.pool()).await.unwrap();
        wait_until(LONG, async || count("") == 2).await;
        notify(&database, "two").await;
        wait_until(LONG, async || count("two") == 1).await;
        shutdown.cancel();
    };
    tokio::time::timeout(LONG, async { tokio::join!(listening, script) }).await.unwrap();
}
