//! The main job, killed on the way: what a crash at any moment costs is nothing.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use flate2::read::GzDecoder;
use foldlog_testkit::{TestDatabase, server, wait_until};
use serde_json::Value;

/// The first lines of the month that ships with the example, and how many of them the rule of
/// returns refuses: counted by a program of its own.
const LINES: usize = 3_000;
const REFUSED: i64 = 13;
const KILLS: i64 = 5;

fn part(folder: &Path) -> PathBuf {
    let whole = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/online-retail-2010-12.csv.gz");
    let lines = BufReader::new(GzDecoder::new(std::fs::File::open(whole).unwrap())).lines();
    let path = folder.join("part.csv");
    let mut file = std::io::BufWriter::new(std::fs::File::create(&path).unwrap());
    for line in lines.take(LINES + 1) {
        writeln!(file, "{}", line.unwrap()).unwrap();
    }
    file.flush().unwrap();
    path
}

/// cargo builds it with the tests only as a test of itself.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| crate::examples::built("retail"))
}

fn retail(database: &TestDatabase, input: &Path) -> Command {
    let mut command = Command::new(program());
    command.env("DATABASE_URL", database.url()).arg("--json").arg("--input").arg(input);
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

/// Ends the example whatever becomes of the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // SIGKILL, by its id; one that has ended already is only reaped.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

async fn events(database: &TestDatabase) -> i64 {
    let events = sqlx::query_scalar("select coalesce(max(position), 0) from foldlog.event");
    // Before the first migration there is no such table.
    events.fetch_one(database.pool()).await.unwrap_or(0)
}

#[tokio::test]
async fn a_job_killed_five_times_on_the_way_still_reconciles() {
    let database = server().await.database().await;
    let folder = tempfile::tempdir().unwrap();
    let input = part(folder.path());
    let all = i64::try_from(2 * LINES).unwrap() - REFUSED;
    for kill in 1..=KILLS {
        let running = Running(retail(&database, &input).spawn().unwrap());
        let enough = all * kill / (KILLS + 1);
        wait_until(Duration::from_secs(120), async || events(&database).await >= enough).await;
        drop(running);
    }
    let output = retail(&database, &input).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    let summary: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(summary["lines"], LINES);
    assert_eq!(summary["rejected"], REFUSED);
    assert_eq!(summary["accepted"], i64::try_from(LINES).unwrap() - REFUSED);
    assert_eq!(summary["mismatches"], 0);
    let stored: i64 = sqlx::query_scalar("select count(*) from foldlog.event")
        .fetch_one(database.pool())
        .await
        .unwrap();
    assert_eq!(stored, all);
}

#[tokio::test]
async fn a_second_job_on_the_same_store_is_refused() {
    let database = server().await.database().await;
    let folder = tempfile::tempdir().unwrap();
    let input = part(folder.path());
    let first = Running(retail(&database, &input).spawn().unwrap());
    wait_until(Duration::from_secs(120), async || events(&database).await > 0).await;
    let second = retail(&database, &input).stderr(Stdio::piped()).output().unwrap();
    drop(first);
    let said = String::from_utf8(second.stderr).unwrap();
    assert_eq!(second.status.code(), Some(1), "{said}");
    assert!(said.contains("another") || said.contains("already"), "{said}");
}
