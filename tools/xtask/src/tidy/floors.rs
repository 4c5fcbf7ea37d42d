//! The floors of the house: a crate may depend only on crates of a lower floor.

use super::Finding;
use super::tree::Tree;
use crate::workspace::{self, Package};

/// Every crate of the workspace and its floor. Neighbours on a floor meet through traits of `core`.
const FLOORS: [(&str, u8); 12] = [
    ("foldlog-core", 0),
    ("foldlog-derive", 0),
    ("foldlog-migrations", 0),
    ("foldlog-pg", 1),
    ("foldlog-eventstore", 2),
    ("foldlog-projections", 3),
    ("foldlog", 4),
    ("foldlog-testkit", 4),
    ("foldlog-bench", 5),
    ("foldlog-fuzz", 5),
    ("foldlog-torture", 5),
    ("xtask", 4),
];

const FACADE: &str = "foldlog";
const DERIVE: &str = "foldlog-derive";

/// Downward, and still not allowed: who must not know whom.
const STRANGERS: [(&str, &str); 1] = [("foldlog-projections", "foldlog-eventstore")];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    match workspace::packages(tree.root()) {
        Ok(packages) => packages.iter().flat_map(check_package).collect(),
        Err(reason) => vec![Finding {
            file: "Cargo.toml".to_owned(),
            line: None,
            reason,
            remedy: "mend it, so that the floors can be checked",
        }],
    }
}

fn check_package(package: &Package) -> Vec<Finding> {
    let finding =
        |reason, remedy| Finding { file: package.manifest.clone(), line: None, reason, remedy };
    let Some(floor) = floor(&package.name) else {
        return vec![finding(
            format!("`{}` stands on no floor", package.name),
            "give it one in tools/xtask/src/tidy/floors.rs",
        )];
    };
    let mut findings = Vec::new();
    for dependency in package.dependencies.iter().filter(|dependency| !dependency.dev) {
        let (from, to) = (package.name.as_str(), dependency.name.as_str());
        let Some(lower) = self::floor(to) else { continue };
        if lower >= floor {
            findings.push(finding(
                format!("`{from}` (floor {floor}) depends on `{to}` (floor {lower})"),
                "depend downward only, and meet neighbours through a trait of core",
            ));
        } else if STRANGERS.contains(&(from, to)) {
            findings.push(finding(
                format!("`{from}` depends on `{to}`"),
                "use the traits `Source` and `StreamTail` of core",
            ));
        } else if to == DERIVE && from != FACADE {
            findings.push(finding(
                format!("`{from}` depends on `{to}`"),
                "leave the derive macros to the facade, which re-exports them",
            ));
        }
    }
    findings
}

fn floor(name: &str) -> Option<u8> {
    FLOORS.iter().find(|(known, _)| *known == name).map(|&(_, floor)| floor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::planted;

    /// A workspace of two crates, `from` with this section of dependencies on `to`.
    fn reasons(from: &str, section: &str, to: &str) -> Vec<String> {
        let manifest = |name: &str| {
            format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n")
        };
        let depends = format!(
            "{}[{section}]\nrenamed = {{ path = \"../b\", package = \"{to}\" }}\n",
            manifest(from)
        );
        let (_folder, tree) = planted(&[
            ("Cargo.toml", "[workspace]\nresolver = \"3\"\nmembers = [\"a\", \"b\"]\n"),
            ("a/Cargo.toml", &depends),
            ("a/src/lib.rs", ""),
            ("b/Cargo.toml", &manifest(to)),
            ("b/src/lib.rs", ""),
        ]);
        let findings = check(&tree);
        assert!(findings.iter().all(|finding| finding.file == "a/Cargo.toml"), "{findings:?}");
        findings.into_iter().map(|finding| finding.reason).collect()
    }

    #[test]
    fn a_dependency_that_points_up_is_found() {
        assert_eq!(
            reasons("foldlog-pg", "dependencies", "foldlog-eventstore"),
            ["`foldlog-pg` (floor 1) depends on `foldlog-eventstore` (floor 2)"]
        );
        assert_eq!(reasons("foldlog-core", "build-dependencies", "foldlog-pg").len(), 1);
    }

    #[test]
    fn a_dependency_that_points_sideways_is_found() {
        assert_eq!(reasons("foldlog-migrations", "dependencies", "foldlog-core").len(), 1);
        let unix = "target.'cfg(unix)'.dependencies";
        assert_eq!(reasons("foldlog-core", unix, "foldlog-migrations").len(), 1);
    }

    #[test]
    fn strangers_and_borrowed_macros_are_found() {
        assert_eq!(reasons("foldlog-projections", "dependencies", "foldlog-eventstore").len(), 1);
        assert_eq!(reasons("foldlog-pg", "dependencies", "foldlog-derive").len(), 1);
    }

    #[test]
    fn a_crate_without_a_floor_is_found() {
        assert_eq!(
            reasons("foldlog-attic", "dependencies", "foldlog-core"),
            ["`foldlog-attic` stands on no floor"]
        );
    }

    #[test]
    fn what_points_down_or_serves_tests_is_allowed() {
        assert!(reasons("foldlog", "dependencies", "foldlog-derive").is_empty());
        assert!(reasons("foldlog-eventstore", "dependencies", "foldlog-pg").is_empty());
        assert!(reasons("foldlog-pg", "dev-dependencies", "foldlog-testkit").is_empty());
    }

    #[test]
    fn a_workspace_that_cargo_refuses_is_a_finding() {
        let (_folder, tree) = planted(&[("Cargo.toml", "[workspace]\nmembers = [\"gone\"]\n")]);
        assert_eq!(check(&tree).len(), 1);
    }
}
