//! The private server: shared, stopped by the last, adopted after a crash, refused by name.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::process::Command;

use foldlog_core::ErrorKind;
use foldlog_pg::{Db, PrivateServer};
use foldlog_testkit::wait_until;
use sqlx::Row;

use super::places::{LONG, Place, kill_and_wait};
use super::processes::Other;

async fn answers(db: &Db) -> bool {
    let row = sqlx::query("select 42").fetch_one(db.pool()).await;
    row.is_ok_and(|row| row.get::<i32, _>(0) == 42)
}

#[tokio::test]
async fn several_processes_share_one_server_and_the_last_one_stops_it() {
    let place = Place::new();
    let other = Other::start(&place);
    let first = place.postmaster().unwrap();
    let db = place.db().await;
    let twin = place.db().await;
    assert_eq!(place.postmaster(), Some(first), "all use the same server");
    assert!(answers(&db).await);
    other.finish();
    assert!(answers(&db).await, "others still use it");
    db.close().await;
    assert!(answers(&twin).await, "this process has a second share");
    twin.close().await;
    assert!(!place.is_up());
}

#[tokio::test]
async fn those_who_come_and_go_at_once_never_meet_a_server_that_stops() {
    let place = Place::new();
    let visits = (0..3).map(|_| {
        let options = place.options();
        tokio::spawn(async move {
            for _ in 0..4 {
                let db = Db::private(options.clone()).await.unwrap();
                assert!(answers(&db).await);
                db.close().await;
            }
        })
    });
    for visit in visits.collect::<Vec<_>>() {
        visit.await.unwrap();
    }
    assert!(!place.is_up());
}

#[tokio::test]
async fn dropping_the_last_clone_stops_the_server_too() {
    let place = Place::new();
    let db = place.db().await;
    let clone = db.clone();
    drop(db);
    assert!(answers(&clone).await);
    drop(clone);
    assert!(!place.is_up());
}

#[tokio::test]
async fn a_killed_owner_leaves_nothing_that_blocks_the_next_start() {
    let place = Place::new();
    let other = Other::start(&place);
    let server = place.postmaster().unwrap();
    other.kill();
    assert!(place.is_up(), "the server is not of the terminal's group");
    let db = place.db().await;
    assert_eq!(place.postmaster(), Some(server), "it was adopted");
    assert!(answers(&db).await);
    db.close().await;
    assert!(!place.is_up(), "the adopter is the last one");
}

#[tokio::test]
async fn a_killed_server_is_started_again_and_keeps_what_was_committed() {
    let place = Place::new();
    let db = place.db().await;
    sqlx::raw_sql("create table public.kept (n int); insert into public.kept values (7)")
        .execute(db.pool())
        .await
        .unwrap();
    kill_and_wait(place.postmaster().unwrap());
    // It writes no last word: its pid file is still there.
    assert!(place.data().join("postmaster.pid").exists());
    let again = place.db().await;
    let row = sqlx::query("select n from public.kept").fetch_one(again.pool()).await.unwrap();
    assert_eq!(row.get::<i32, _>(0), 7);
    again.close().await;
    db.close().await;
    assert!(!place.is_up());
}

#[tokio::test]
async fn a_pid_file_that_names_another_program_blocks_nothing() {
    let place = Place::new();
    place.db().await.close().await;
    // Our own number stands for one that was used again.
    let text = format!("{}\n{}\n", std::process::id(), place.data().display());
    fs::write(place.data().join("postmaster.pid"), text).unwrap();
    let db = place.db().await;
    assert!(answers(&db).await);
    db.close().await;
}

#[tokio::test]
async fn a_socket_lock_that_names_another_program_blocks_nothing() {
    let place = Place::new();
    place.db().await.close().await;
    // As a killed server leaves it, and its number is in use again: by a process of the account that
    // the server runs under, for PostgreSQL passes over those of others.
    let account = fs::metadata(place.data()).unwrap().uid();
    let mut other = Command::new("sleep").arg("600").uid(account).spawn().unwrap();
    let folder = place.major().join("socket");
    fs::DirBuilder::new().mode(0o700).create(&folder).unwrap();
    let text = format!("{}\n{}\n0\n5432\n", other.id(), place.data().display());
    fs::write(folder.join(".s.PGSQL.5432.lock"), text).unwrap();
    let db = Db::private(place.options()).await;
    other.kill().unwrap();
    other.wait().unwrap();
    let db = db.unwrap();
    assert!(answers(&db).await);
    db.close().await;
}

#[tokio::test]
async fn a_log_that_has_grown_long_is_begun_anew() {
    let place = Place::new();
    place.db().await.close().await;
    let log = place.major().join("server.log");
    fs::OpenOptions::new().write(true).open(&log).unwrap().set_len((16 << 20) + 1).unwrap();
    place.db().await.close().await;
    assert!(fs::metadata(&log).unwrap().len() < 1 << 20);
}

#[tokio::test]
async fn half_a_cluster_is_never_taken_for_one() {
    let place = Place::new();
    place.db().await.close().await;
    // As if initdb had been killed: its folder is there, the finished one is not.
    fs::rename(place.data(), place.major().join("data.unfinished")).unwrap();
    fs::remove_file(place.major().join("data.unfinished/PG_VERSION")).unwrap();
    let db = place.db().await;
    assert!(answers(&db).await);
    db.close().await;
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_named() {
    let place = Place::new();
    let file = place.base().join("file");
    fs::write(&file, "").unwrap();
    for folder in [file.join("data"), "/proc/foldlog".into(), "/tmp/a\"b".into()] {
        let error = PrivateServer::start(place.options().base(&folder)).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Setup, "{error}");
        let text = error.to_string();
        assert!(text.contains(folder.to_str().unwrap()), "{text}");
    }
}

#[tokio::test]
async fn a_folder_that_another_user_made_is_refused() {
    let place = Place::new();
    place.db().await.close().await;
    // Only root can give a folder away.
    if std::os::unix::fs::chown(place.major(), Some(1), None).is_ok() {
        let error = Db::private(place.options()).await.unwrap_err();
        assert!(error.to_string().contains("uid 1"), "{error}");
    }
}

#[tokio::test]
async fn data_of_another_major_is_refused_by_both_names() {
    let place = Place::new();
    place.db().await.close().await;
    fs::write(place.data().join("PG_VERSION"), "9\n").unwrap();
    let error = Db::private(place.options()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Setup);
    let major = place.major().file_name().unwrap().to_str().unwrap().to_owned();
    let text = error.to_string();
    assert!(text.contains("PostgreSQL 9") && text.contains(&major), "{text}");
}

#[tokio::test]
async fn a_socket_that_another_program_answers_is_refused() {
    let place = Place::new();
    place.db().await.close().await;
    let folder = place.major().join("socket");
    fs::DirBuilder::new().mode(0o700).create(&folder).unwrap();
    let socket = folder.join(".s.PGSQL.5432");
    let _program = UnixListener::bind(&socket).unwrap();
    let error = Db::private(place.options()).await.unwrap_err();
    assert!(error.to_string().contains(socket.to_str().unwrap()), "{error}");
}

#[tokio::test]
async fn a_socket_folder_that_others_may_enter_is_refused() {
    let place = Place::new();
    place.db().await.close().await;
    let folder = place.major().join("socket");
    fs::DirBuilder::new().mode(0o777).create(&folder).unwrap();
    let error = Db::private(place.options()).await.unwrap_err();
    assert!(error.to_string().contains(folder.to_str().unwrap()), "{error}");
}

#[tokio::test]
async fn a_long_path_gets_a_short_socket() {
    let place = Place::new();
    let deep = place.base().join("d".repeat(100));
    let server = PrivateServer::start(place.options().base(deep)).await.unwrap();
    assert!(server.endpoint("postgres").session("deep").await.is_ok());
    let folder = fs::canonicalize(server.socket()).unwrap();
    server.close().await.unwrap();
    assert!(!folder.exists(), "nothing is left among the temporary files");
}

#[tokio::test]
async fn a_caretaker_stops_the_server_when_its_owner_is_gone() {
    let place = Place::new();
    let server = PrivateServer::start(place.options()).await.unwrap();
    let mut caretaker = server.caretaker().spawn().unwrap();
    // As if the owner were killed: its share is gone without a word, and so is the pipe.
    let adopter = place.db().await;
    drop(caretaker.stdin.take());
    caretaker.wait().unwrap();
    assert!(answers(&adopter).await, "somebody uses it");
    let mut second = server.caretaker().spawn().unwrap();
    std::mem::forget(adopter.clone());
    drop((server, adopter));
    drop(second.stdin.take());
    second.wait().unwrap();
    assert!(place.is_up(), "the forgotten share counts as long as this process lives");
}

#[tokio::test]
async fn a_standby_is_refused_and_its_server_let_go() {
    let place = Place::new();
    place.db().await.close().await;
    fs::write(place.data().join("standby.signal"), "").unwrap();
    let error = Db::private(place.options()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Setup);
    assert!(error.to_string().contains("standby"), "{error}");
    wait_until(LONG, async || !place.is_up()).await;
}
