//! The book: what its summary names is there, what is there is named, and every listing is compiled.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn docs() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/docs"))
}

/// The pages in a folder of the book.
fn pages(folder: &str) -> BTreeSet<String> {
    let found = fs::read_dir(docs().join(folder)).unwrap().flatten();
    let names = found.map(|entry| entry.file_name().into_string().unwrap());
    let pages = names.filter(|name| name.ends_with(".md") && name != "SUMMARY.md");
    pages.map(|name| format!("{folder}{name}")).collect()
}

/// The files that a page links to.
fn links(page: &str) -> Vec<String> {
    let text = fs::read_to_string(docs().join(page)).unwrap();
    let targets = text.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0));
    let files = targets.map(|target| target.split('#').next().unwrap().to_owned());
    files.filter(|file| !file.is_empty() && !file.contains("://")).collect()
}

#[test]
fn the_summary_names_every_page_once() {
    let named = links("SUMMARY.md");
    let pages: BTreeSet<_> = pages("").union(&pages("decisions/")).cloned().collect();
    assert_eq!(named.iter().cloned().collect::<BTreeSet<_>>(), pages);
    assert_eq!(named.len(), pages.len(), "{named:?}");
}

#[test]
fn every_link_of_a_page_leads_somewhere() {
    for page in pages("").union(&pages("decisions/")) {
        let folder = docs().join(page).parent().unwrap().to_owned();
        for link in links(page) {
            assert!(folder.join(&link).exists(), "{page}: {link}");
        }
    }
}

#[test]
fn every_listing_of_a_chapter_is_compiled() {
    let sources = ["lib.rs", "chapters.rs", "schema.rs"];
    let sources = sources.map(|name| fs::read_to_string(docs().join("../src").join(name)).unwrap());
    for page in pages("") {
        let text = fs::read_to_string(docs().join(&page)).unwrap();
        let compiled = sources.iter().any(|source| source.contains(&format!("docs/{page}\")]")));
        assert!(compiled || !text.contains("```rust"), "{page} is in no `include_str!`");
        assert!(!text.contains("rust,ignore"), "{page}");
    }
}
