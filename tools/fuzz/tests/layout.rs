//! What the coverage-guided fuzzer is given.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::corpus;

#[test]
fn every_target_has_a_program_of_the_fuzzer_and_a_corpus() {
    let names: BTreeSet<String> =
        foldlog_fuzz::TARGETS.iter().map(|target| target.name.to_owned()).collect();
    let libfuzzer = Path::new(env!("CARGO_MANIFEST_DIR")).join("libfuzzer");
    let manifest = fs::read_to_string(libfuzzer.join("Cargo.toml")).unwrap();
    for name in &names {
        let program = format!("[[bin]]\nname = \"{name}\"\npath = \"targets/{name}.rs\"\n");
        assert!(manifest.contains(&program), "{name}");
        let text = fs::read_to_string(libfuzzer.join(format!("targets/{name}.rs"))).unwrap();
        assert!(text.contains(&format!("foldlog_fuzz::run(\"{name}\", data)")), "{name}");
    }
    let mut folders: BTreeSet<String> = BTreeSet::new();
    for entry in fs::read_dir(corpus::folder()).unwrap() {
        folders.insert(entry.unwrap().file_name().to_string_lossy().into_owned());
    }
    assert!(folders.remove("all"));
    assert_eq!(folders, names);
}
