//! A PostgreSQL in a container: prints its URL, and removes it when standard input ends.
//!
//! `foldlog-container [MAJOR]`; the server has the settings of the tests' own.

use std::io::{Read, Write};
use std::process::ExitCode;
use std::time::Duration;

use testcontainers::core::{IntoContainerPort, WaitFor};
use testcontainers::runners::SyncRunner;
use testcontainers::{GenericImage, ImageExt, TestcontainersError};

const NEWEST: &str = "18";

/// An image may have to be fetched first.
const PATIENCE: Duration = Duration::from_secs(300);

/// What the server of `tools/testkit` is started with, as far as a container needs to be told.
const SETTINGS: [&str; 7] = [
    "fsync=off",
    "synchronous_commit=on",
    "max_prepared_transactions=16",
    "max_connections=200",
    "wal_level=logical",
    "max_wal_senders=10",
    "max_replication_slots=10",
];

fn main() -> ExitCode {
    let major = std::env::args().nth(1).unwrap_or_else(|| NEWEST.to_owned());
    match hold(&major) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("foldlog-container: {error}");
            ExitCode::FAILURE
        }
    }
}

fn hold(major: &str) -> Result<(), TestcontainersError> {
    let settings = SETTINGS.iter().flat_map(|&setting| ["-c", setting]);
    let ready = "database system is ready to accept connections";
    let container = GenericImage::new("postgres", major)
        .with_exposed_port(5432.tcp())
        // The image starts a first server to make the cluster with, and that one speaks on standard
        // output only.
        .with_wait_for(WaitFor::message_on_stderr(ready))
        .with_env_var("POSTGRES_PASSWORD", "postgres")
        .with_cmd(["postgres"].into_iter().chain(settings))
        .with_startup_timeout(PATIENCE)
        .start()?;
    let (host, port) = (container.get_host()?, container.get_host_port_ipv4(5432)?);
    println!("postgres://postgres:postgres@{host}:{port}/postgres");
    std::io::stdout().flush()?;
    // Whoever wants the server holds the other end, and lets go of it however it ends.
    std::io::stdin().read_to_end(&mut Vec::new())?;
    container.rm()
}
