//! Every public future is swept: dropped at each of its awaits by a test that is named here.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The sources of the public crates.
const SOURCES: [&str; 5] = ["src", "core/src", "eventstore/src", "projections/src", "pg/src"];

/// A file of tests, and what its tests sweep: the test, and its futures.
type Swept = (&'static str, &'static [(&'static str, &'static [&'static str])]);

const SWEPT: &[Swept] = &[
    (
        "tests/cancellation/apps.rs",
        &[
            (
                "a_dropped_start_leaves_nothing_running_and_the_next_one_starts",
                &["AppBuilder::start"],
            ),
            ("a_dropped_shutdown_is_finished_by_the_next_one", &["App::shutdown"]),
            (
                "dropped_looks_at_views_and_their_retirement_leave_nothing",
                &["App::status", "App::retire"],
            ),
        ],
    ),
    (
        "tests/cancellation/appends.rs",
        &[
            ("an_append_dropped_at_any_await_is_done_or_not_done", &["Append::into_future"]),
            (
                "an_append_dropped_in_the_users_transaction_leaves_it_to_be_rolled_back",
                &["AppendIn::into_future"],
            ),
        ],
    ),
    (
        "tests/cancellation/commands.rs",
        &[
            ("a_command_dropped_at_any_await_is_done_or_not_done", &["Execute::into_future"]),
            ("a_dropped_load_leaves_the_pool_as_it_was", &["App::load", "Of::load"]),
        ],
    ),
    (
        "tests/cancellation/within.rs",
        &[(
            "a_command_dropped_within_a_transaction_leaves_it_to_be_rolled_back",
            &["Within::into_future"],
        )],
    ),
    (
        "eventstore/tests/cancellation.rs",
        &[
            ("a_dropped_opening_of_the_store_leaves_nothing", &["EventStore::open"]),
            ("a_dropped_registration_leaves_its_types_to_be_registered", &["EventStore::register"]),
            (
                "a_dropped_run_of_the_store_ends_its_sessions_and_can_run_again",
                &["EventStore::run"],
            ),
        ],
    ),
    (
        "eventstore/tests/cancellation/appends.rs",
        &[
            (
                "a_dropped_append_is_whole_or_absent_and_its_repetition_makes_it_one",
                &["EventStore::append"],
            ),
            (
                "an_append_dropped_in_the_users_transaction_leaves_it_to_be_rolled_back",
                &["EventStore::append_in"],
            ),
        ],
    ),
    (
        "eventstore/tests/cancellation/reads.rs",
        &[
            (
                "dropped_reads_of_streams_leave_the_pool_as_it_was",
                &["EventStore::read_stream", "EventStore::read_stream_in", "StreamTail::tail"],
            ),
            (
                "dropped_reads_of_receipts_leave_the_pool_as_it_was",
                &["EventStore::receipt", "EventStore::receipt_in"],
            ),
            ("dropped_readers_close_their_sessions", &["Source::reader", "Reader::page"]),
            ("dropped_waits_and_questions_keep_nothing", &["Source::woken", "Source::blocker"]),
            ("a_dropped_wait_for_the_next_events_loses_and_doubles_none", &["Subscription::next"]),
            (
                "a_dropped_wait_for_the_next_typed_events_loses_and_doubles_none",
                &["Subscription::next_typed"],
            ),
        ],
    ),
    (
        "projections/tests/cancellation.rs",
        &[
            (
                "a_dropped_opening_or_retirement_is_whole_or_absent",
                &["Projections::open", "Projections::retire"],
            ),
            (
                "workers_that_are_dropped_leave_their_classes_to_be_claimed_again",
                &["Projections::run"],
            ),
            (
                "dropped_looks_at_the_projections_leave_the_pool_as_it_was",
                &["Projections::status", "Projections::watch"],
            ),
            (
                "dropped_reads_of_a_view_leave_the_pool_as_it_was",
                &["Views::get", "Views::fresh", "ViewsAt::get"],
            ),
        ],
    ),
    (
        "pg/tests/cancellation.rs",
        &[
            (
                "a_dropped_migration_is_whole_or_absent_and_the_next_run_goes_on",
                &["Migrator::run", "Migrator::check"],
            ),
            ("segments_that_were_dropped_half_made_are_made_the_next_time", &["segment::ensure"]),
            (
                "dropped_questions_about_a_log_leave_the_session_in_order",
                &["settled::store", "settled::check", "settled::settled", "settled::holder"],
            ),
        ],
    ),
    (
        "pg/tests/cancellation/sessions.rs",
        &[
            (
                "a_dropped_way_in_leaves_no_session",
                &["Db::connect", "Db::open", "Db::from_variables"],
            ),
            ("a_users_pool_of_one_is_free_after_a_dropped_look_at_it", &["Db::from_pool"]),
            (
                "dropped_sessions_of_both_drivers_are_closed",
                &["Db::session", "Endpoint::session", "Db::acquire"],
            ),
            ("a_dropped_close_of_the_pool_closes_it_all_the_same", &["Db::close"]),
            ("a_dropped_listener_ends_its_session", &["Listener::run"]),
        ],
    ),
    (
        "pg/tests/cancellation/servers.rs",
        &[
            ("a_dropped_start_of_a_private_server_stops_it_again", &["PrivateServer::start"]),
            (
                "shares_in_a_private_server_that_are_dropped_half_way_are_given_back",
                &["Db::private", "PrivateServer::close"],
            ),
        ],
    ),
];

/// Futures that no sweep can drop, and why.
const NOT_SWEPT: [(&str, &str); 3] = [
    ("Db::from_env", "reads the variables of the process, and is `Db::from_variables` from there"),
    ("ServerOptions::binaries", "waits only where binaries are fetched over the network"),
    ("Projection::apply", "is the user's: it is dropped with the workers, by `Projections::run`"),
];

#[test]
fn every_public_future_is_dropped_at_each_of_its_awaits_by_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut named = BTreeSet::new();
    for (file, tests) in SWEPT {
        let text = fs::read_to_string(root.join(file)).unwrap();
        for (test, futures) in *tests {
            assert!(text.contains(&format!("async fn {test}()")), "{file} has no test {test}");
            named.extend(futures.iter().copied());
        }
    }
    named.extend(NOT_SWEPT.iter().map(|(future, _)| *future));
    let mut public = BTreeMap::new();
    for source in SOURCES {
        for file in rust_files(&root.join(source)) {
            let text = fs::read_to_string(&file).unwrap();
            let module = file.file_stem().unwrap().to_str().unwrap();
            public.extend(futures(&text, module).into_iter().map(|name| (name, file.clone())));
        }
    }
    let unnamed: Vec<_> = public.iter().filter(|(name, _)| !named.contains(&***name)).collect();
    assert!(unnamed.is_empty(), "no sweep drops these: write one, and name it here: {unnamed:#?}");
    let gone: Vec<_> = named.iter().filter(|name| !public.contains_key(**name)).collect();
    assert!(gone.is_empty(), "named here and not there any more: {gone:?}");
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// The public futures of a formatted source: those of types and traits by their names, others by
/// that of their module.
fn futures(source: &str, module: &str) -> Vec<String> {
    let mut found = Vec::new();
    let (mut owner, mut is_trait) = (module.to_owned(), false);
    let lines: Vec<&str> = source.lines().collect();
    for (at, line) in lines.iter().enumerate() {
        if *line == "}" {
            (owner, is_trait) = (module.to_owned(), false);
        } else if let Some(header) = line.strip_prefix("impl") {
            let header = without_generics(header);
            let (of, name) = header.split_once(" for ").unwrap_or(("", header));
            owner = identifier(name);
            if of.trim() == "IntoFuture" {
                found.push(format!("{owner}::into_future"));
            }
        } else if let Some(header) = line.strip_prefix("pub trait ") {
            (owner, is_trait) = (identifier(header), true);
        }
        let start = line.trim_start();
        let function = start.strip_prefix("pub ").or(is_trait.then_some(start));
        let Some(function) = function else { continue };
        let (is_async, function) = match function.strip_prefix("async ") {
            Some(function) => (true, function),
            None => (false, function),
        };
        let Some(name) = function.strip_prefix("fn ") else { continue };
        if is_async || answer(lines.get(at..).unwrap_or_default()).contains("Future<") {
            found.push(format!("{owner}::{}", identifier(name)));
        }
    }
    found
}

/// What a function answers with, which may stand some lines below its name.
fn answer(lines: &[&str]) -> String {
    let mut signature = String::new();
    for line in lines {
        signature.push_str(line);
        if line.ends_with('{') || line.ends_with(';') {
            break;
        }
    }
    signature.split_once("->").map_or_else(String::new, |(_, answer)| answer.to_owned())
}

/// `<A: B<C>> D` is a `D`.
fn without_generics(header: &str) -> &str {
    let mut depth = 0;
    for (at, c) in header.char_indices() {
        match c {
            '<' => depth += 1,
            '>' => depth -= 1,
            _ if depth == 0 => return header.get(at..).unwrap_or_default().trim_start(),
            _ => {}
        }
    }
    header
}

fn identifier(text: &str) -> String {
    text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

#[test]
fn a_future_is_found_in_each_of_its_forms_and_a_private_one_is_not() {
    let source = "impl<A: B<C>> Shop<A> {\n    pub async fn open(&self) {}\n    async fn own() {}\n    \
        pub(crate) async fn near() {}\n    pub fn later(\n        &self,\n    ) -> impl Future<Output = ()> \
        {\n    }\n    pub fn now(&self) -> u8 {}\n}\npub async fn free() {}\n\
        pub trait Door {\n    async fn knock(&self);\n    fn ring(&self) -> BoxFuture<'static, ()>;\n    \
        fn id(&self) -> u8;\n}\npub(crate) trait Hidden {\n    async fn see(&self);\n}\n\
        impl<'c> IntoFuture for Errand<'c> {\n}\n";
    let expected = [
        "Shop::open",
        "Shop::later",
        "street::free",
        "Door::knock",
        "Door::ring",
        "Errand::into_future",
    ];
    assert_eq!(futures(source, "street"), expected);
}
