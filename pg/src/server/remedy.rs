//! What to do when there is no PostgreSQL, in the words of the system at hand.

use std::path::Path;

/// The remedies that every build has.
pub(super) fn without_fetching(root: &Path, major: Option<u16>) -> String {
    let release = std::fs::read_to_string(root.join("etc/os-release")).unwrap_or_default();
    format!("set DATABASE_URL to a server of yours, or install one ({})", command(&release, major))
}

/// The command that installs the package, by the `ID` and `ID_LIKE` of os-release.
fn command(release: &str, major: Option<u16>) -> String {
    let value = |key: &str| {
        let line = release.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        line.unwrap_or_default().trim_matches('"').to_owned()
    };
    let names = format!("{} {}", value("ID"), value("ID_LIKE"));
    let is = |name: &str| names.split_whitespace().any(|word| word == name);
    let suffix = |before: &str| major.map_or(String::new(), |major| format!("{before}{major}"));
    if is("debian") || is("ubuntu") {
        format!("apt install postgresql{}", suffix("-"))
    } else if is("alpine") {
        format!("apk add postgresql{}", major.unwrap_or(18))
    } else if is("fedora") || is("rhel") || is("centos") {
        format!("dnf install postgresql{}-server", suffix(""))
    } else if is("arch") {
        "pacman -S postgresql".to_owned()
    } else if is("suse") || is("opensuse") {
        format!("zypper install postgresql{}-server", suffix(""))
    } else if cfg!(target_os = "macos") {
        format!("brew install postgresql@{}", major.unwrap_or(18))
    } else {
        "the package `postgresql` of your system".to_owned()
    }
}
