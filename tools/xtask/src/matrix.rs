//! `cargo xtask matrix`: the tests on every PostgreSQL that is promised, and on one in a container.

mod container;
mod place;
mod row;

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use crate::cargo;
use crate::step::run_seen;
use crate::totals::Totals;
pub(crate) use place::{Place, every_place};
use row::{Outcome, Row};

/// The test in `pg/tests` that says which server it meets, and refuses another than was asked for.
const WITNESS: &str = "the_server_is_of_the_major_that_was_asked_for";
const SEEN: &str = "server_version ";

/// Runs the tests in each place, also after one has failed, and tells of all of them at the end.
pub(crate) fn run(root: &Path, places: &[Place]) -> Result<(), String> {
    let mut rows = Vec::new();
    for &place in places {
        println!("==> {place}");
        let start = Instant::now();
        let mut row = Row::new(place);
        row.outcome = match place {
            Place::Major(major) => tests(root, &Server::Major(major), &mut row),
            Place::Container => in_container(root, &mut row),
        };
        row.seconds = start.elapsed().as_secs_f64();
        println!("<== {place}: {}\n", row.outcome);
        rows.push(row);
    }
    print!("{}", row::table(&rows));
    match rows.iter().filter(|row| row.outcome != Outcome::Passed).count() {
        0 => Ok(()),
        short => Err(format!("matrix: {short} of {} did not pass", rows.len())),
    }
}

fn in_container(root: &Path, row: &mut Row) -> Outcome {
    let held = match container::start(root) {
        Ok(held) => held,
        Err(reason) => return Outcome::NotRun(reason),
    };
    tests(root, &Server::Url(held.url().to_owned()), row)
}

/// Which server the tests are told to use.
enum Server {
    Major(u16),
    Url(String),
}

impl Server {
    /// The tests' variables, whatever the shell has set for its own runs.
    fn tell(&self, command: &mut Command) {
        match self {
            Self::Major(major) => {
                command.env_remove("FOLDLOG_TEST_URL").env("FOLDLOG_PG", major.to_string());
                // A folder holds one major. `none` asks for fetched binaries and fits all of them.
                if std::env::var_os("FOLDLOG_PG_BIN").is_some_and(|folder| folder != "none") {
                    command.env_remove("FOLDLOG_PG_BIN");
                }
            }
            Self::Url(url) => {
                command.env("FOLDLOG_TEST_URL", url);
            }
        }
    }

    /// `cargo test` on this server, with the same packages and features each time.
    fn cargo_test(&self, root: &Path) -> Command {
        let mut command = cargo::command(root);
        command.args(["test", "--workspace", "--all-features", "--locked", "--no-fail-fast"]);
        self.tell(&mut command);
        command
    }
}

/// First the one test that names the server: without a server there is nothing to fail.
fn tests(root: &Path, server: &Server, row: &mut Row) -> Outcome {
    let mut witness = server.cargo_test(root);
    witness.args(["--test", "main", WITNESS, "--", "--nocapture"]);
    let met = run_seen(&mut witness, |line| {
        if let Some((_, version)) = line.split_once(SEEN) {
            row.version = Some(version.trim().to_owned());
        }
    });
    match (met, &row.version) {
        (Ok(()), Some(_)) => {}
        (Ok(()), None) => return Outcome::NotRun(format!("no test named {WITNESS} spoke")),
        (Err(_), None) => return Outcome::NotRun("there is no such server, see above".to_owned()),
        (Err(_), Some(_)) => return Outcome::NotRun("the server is another, see above".to_owned()),
    }
    let totals = &mut row.totals;
    let passed = run_seen(&mut server.cargo_test(root), |line| totals.see(line));
    Outcome::of(passed, totals)
}

impl Outcome {
    fn of(passed: Result<(), String>, totals: &Totals) -> Self {
        match passed {
            Err(reason) => Self::Failed(reason),
            Ok(()) if totals.passed == 0 => Self::Failed("no test ran".to_owned()),
            Ok(()) => Self::Passed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(server: &Server) -> Vec<(String, Option<String>)> {
        let mut command = Command::new("true");
        server.tell(&mut command);
        let text = |word: &std::ffi::OsStr| word.to_string_lossy().into_owned();
        command.get_envs().map(|(name, value)| (text(name), value.map(text))).collect()
    }

    #[test]
    fn a_major_is_asked_for_and_a_server_of_the_shell_is_not_used() {
        let told = told(&Server::Major(17));
        assert!(told.contains(&("FOLDLOG_PG".to_owned(), Some("17".to_owned()))), "{told:?}");
        assert!(told.contains(&("FOLDLOG_TEST_URL".to_owned(), None)), "{told:?}");
    }

    #[test]
    fn a_container_is_named_by_its_url() {
        let url = "postgres://localhost:1/postgres".to_owned();
        let told = told(&Server::Url(url.clone()));
        assert!(told.contains(&("FOLDLOG_TEST_URL".to_owned(), Some(url))), "{told:?}");
    }

    #[test]
    fn a_run_without_tests_did_not_pass() {
        let none = Totals::default();
        assert!(matches!(Outcome::of(Ok(()), &none), Outcome::Failed(_)));
        let some = Totals { passed: 1, ..Totals::default() };
        assert_eq!(Outcome::of(Ok(()), &some), Outcome::Passed);
    }
}
