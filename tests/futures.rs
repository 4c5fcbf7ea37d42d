//! Every public future is swept: dropped at each of its awaits by a test. A sweep is labelled with the
//! futures that it drops: `sweep("Shop::open, Shop::close, at night", …)`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The sources of the public crates.
const SOURCES: [&str; 5] = ["src", "core/src", "eventstore/src", "projections/src", "pg/src"];

/// The tests that may sweep them.
const TESTS: [&str; 4] = ["tests", "eventstore/tests", "projections/tests", "pg/tests"];

/// Futures that no sweep can drop, and why.
const NOT_SWEPT: [(&str, &str); 3] = [
    ("Db::from_env", "reads the variables of the process, and is `Db::from_variables` from there"),
    ("ServerOptions::binaries", "waits only where binaries are fetched over the network"),
    ("Projection::apply", "is the user's: it is dropped with the workers, by `Projections::run`"),
];

#[test]
fn every_public_future_is_dropped_at_each_of_its_awaits_by_a_test() {
    let public = collect(&SOURCES, futures);
    let swept = collect(&TESTS, |text, _| labels(text));
    let excepted: BTreeSet<_> = NOT_SWEPT.iter().map(|(name, _)| (*name).to_owned()).collect();
    let named: BTreeSet<_> = swept.union(&excepted).cloned().collect();
    let forgotten: Vec<_> = public.difference(&named).collect();
    assert!(forgotten.is_empty(), "no sweep is labelled with these: {forgotten:#?}");
    let gone: Vec<_> = named.difference(&public).collect();
    assert!(gone.is_empty(), "swept or excepted, and no public futures: {gone:#?}");
    let both: Vec<_> = swept.intersection(&excepted).collect();
    assert!(both.is_empty(), "swept, and excepted all the same: {both:#?}");
}

/// What is found in the files below some folders, each given as its text and the name of its module.
fn collect(folders: &[&str], find: impl Fn(&str, &str) -> Vec<String>) -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = folders.iter().flat_map(|folder| rust_files(&root.join(folder)));
    let found = files.flat_map(|file| {
        let module = file.file_stem().unwrap().to_str().unwrap();
        find(&fs::read_to_string(&file).unwrap(), module)
    });
    found.collect()
}

/// The futures with which the sweeps of a formatted source are labelled; other words say how.
fn labels(source: &str) -> Vec<String> {
    let sweeps = source.lines().filter_map(|line| line.trim_start().strip_prefix("sweep(\""));
    let labels = sweeps.filter_map(|rest| Some(rest.split_once('"')?.0));
    let names = labels.flat_map(|label| label.split(", ")).filter(|name| name.contains("::"));
    names.map(str::to_owned).collect()
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
            match of.trim().rsplit("::").next() {
                Some("IntoFuture") => found.push(format!("{owner}::into_future")),
                Some("Future") => found.push(format!("{owner}::poll")),
                _ => {}
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
        impl<'c> IntoFuture for Errand<'c> {\n}\nimpl std::future::Future for Walk {\n}\n";
    let expected = [
        "Shop::open",
        "Shop::later",
        "street::free",
        "Door::knock",
        "Door::ring",
        "Errand::into_future",
        "Walk::poll",
    ];
    assert_eq!(futures(source, "street"), expected);
}

#[test]
fn a_sweep_counts_for_the_futures_of_its_label_and_nothing_else_does() {
    let source = "    sweep(\"Shop::open\", async |cut| {\n        shop.later().await\n    })\n    \
        // sweep(\"Shop::now\")\n    sweep(\"street::free, Door::knock, at night\", round).await;\n";
    assert_eq!(labels(source), ["Shop::open", "street::free", "Door::knock"]);
}
