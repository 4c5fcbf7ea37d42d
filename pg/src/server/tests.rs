//! Finding binaries, over trees made up for it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::account::Account;
use super::{ServerOptions, Variables, choice, remedy, search};

/// A folder that looks like an installation: programs that only know their version.
fn install(root: &Path, folder: &str, version: &str) {
    let folder = root.join(folder);
    fs::create_dir_all(&folder).unwrap();
    for name in ["postgres", "initdb", "pg_ctl"] {
        script(&folder.join(name), &format!("echo '{name} (PostgreSQL) {version}'"));
    }
}

fn script(path: &Path, line: &str) {
    fs::write(path, format!("#!/bin/sh\n{line}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn tree() -> tempfile::TempDir {
    let tree = tempfile::tempdir().unwrap();
    // A folder for temporary files is closed; a lent server must get in.
    fs::set_permissions(tree.path(), fs::Permissions::from_mode(0o755)).unwrap();
    tree
}

async fn chosen(root: &Path, variables: &[(&str, &str)]) -> Result<u16, String> {
    let options = ServerOptions::new(variables.iter().copied().collect()).search_root(root);
    let account = Account::current().unwrap();
    let chosen = choice::choose(&options, &account).await;
    chosen.map(|binaries| binaries.major).map_err(|error| error.to_string())
}

#[test]
fn every_usual_place_is_searched_and_lookalikes_are_passed_over() {
    let tree = tree();
    let root = tree.path();
    install(root, "usr/lib/postgresql/15/bin", "15.18 (Debian 15.18-0+deb12u1)");
    install(root, "usr/pgsql-16/bin", "16.3");
    install(root, "opt/homebrew/opt/postgresql@17/bin", "17.2 (Homebrew)");
    install(root, "usr/local/opt/postgresql@14/bin", "14.1");
    install(root, "Applications/Postgres.app/Contents/Versions/18/bin", "18beta2 (Postgres.app)");
    install(root, "opt/homebrew/opt/mariadb/bin", "19.1");
    install(root, "usr/something/bin", "20.1");
    install(root, "on/path", "21.0");
    install(root, "usr/lib/postgresql/22/bin", "22.0");
    fs::remove_file(root.join("usr/lib/postgresql/22/bin/initdb")).unwrap();
    install(root, "told/by/config", "23.0");
    script(&root.join("on/path/pg_config"), &format!("echo {}/told/by/config", root.display()));
    let path = root.join("on/path");
    let variables = Variables::from_iter([("PATH", path.to_str().unwrap())]);
    let mut majors: Vec<u16> =
        search::search(root, &variables).iter().map(|found| found.major).collect();
    majors.sort_unstable();
    assert_eq!(majors, [14, 15, 16, 17, 18, 21, 23]);
}

#[tokio::test]
async fn the_newest_is_chosen_unless_a_major_is_asked_for() {
    let tree = tree();
    install(tree.path(), "usr/lib/postgresql/15/bin", "15.18");
    install(tree.path(), "usr/lib/postgresql/17/bin", "17.5");
    install(tree.path(), "usr/lib/postgresql/9.6/bin", "9.6.24");
    assert_eq!(chosen(tree.path(), &[]).await, Ok(17));
    assert_eq!(chosen(tree.path(), &[("FOLDLOG_PG", "15")]).await, Ok(15));
    for wrong in ["14", "new", "-1"] {
        let error = chosen(tree.path(), &[("FOLDLOG_PG", wrong)]).await.unwrap_err();
        assert!(error.contains("FOLDLOG_PG") && error.contains(wrong), "{error}");
    }
}

#[tokio::test]
async fn a_named_folder_is_used_or_refused_and_nothing_else_is_tried() {
    let tree = tree();
    let root = tree.path();
    install(root, "usr/lib/postgresql/17/bin", "17.5");
    install(root, "own", "15.2");
    install(root, "old", "14.9");
    let folder = |name: &str| root.join(name).to_str().unwrap().to_owned();
    let (own, old, none) = (folder("own"), folder("old"), folder("none"));
    assert_eq!(chosen(root, &[("FOLDLOG_PG_BIN", &own)]).await, Ok(15));
    for (bin, major, said) in [(&own, "17", "15"), (&old, "", "14"), (&none, "", "no working")] {
        let variables = [("FOLDLOG_PG_BIN", bin.as_str()), ("FOLDLOG_PG", major)];
        let error = chosen(root, &variables).await.unwrap_err();
        assert!(error.contains(bin) && error.contains(said), "{error}");
    }
}

#[test]
fn the_remedy_is_in_the_words_of_the_system() {
    for (release, major, command) in [
        ("ID=debian", None, "apt install postgresql)"),
        ("ID=\"linuxmint\"\nID_LIKE=\"ubuntu debian\"", Some(17), "apt install postgresql-17"),
        ("ID=alpine", Some(16), "apk add postgresql16"),
        ("ID=rocky\nID_LIKE=\"rhel centos fedora\"", None, "dnf install postgresql-server"),
        ("ID=arch", None, "pacman -S postgresql"),
        ("ID=opensuse-leap\nID_LIKE=\"suse opensuse\"", None, "zypper install"),
    ] {
        let tree = tree();
        fs::create_dir(tree.path().join("etc")).unwrap();
        fs::write(tree.path().join("etc/os-release"), release).unwrap();
        let text = remedy::without_fetching(tree.path(), major);
        assert!(text.contains(command) && text.contains("DATABASE_URL"), "{text}");
    }
}
