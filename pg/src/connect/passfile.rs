//! The passfile of libpq: `host:port:database:user:password` a line, `*` for any.

use std::path::PathBuf;

use super::{Host, Secret, Variables};

/// The password for the first host that has one. A missing or open file is passed over, as in libpq.
pub(super) fn password(
    named: Option<&str>,
    variables: &Variables,
    hosts: &[Host],
    database: &str,
    user: &str,
) -> Option<Secret> {
    let path = match named {
        Some(path) => PathBuf::from(path),
        None => PathBuf::from(variables.get("HOME")?).join(".pgpass"),
    };
    if is_open_to_others(&path) {
        tracing::warn!(
            file = %path.display(),
            "the passfile is not used: others may read it; set its mode to 0600"
        );
        return None;
    }
    let text = std::fs::read_to_string(path).ok()?;
    hosts.iter().find_map(|host| {
        let name = if host.is_socket() { "localhost" } else { host.name.as_str() };
        let port = host.port.to_string();
        let wanted = [name, port.as_str(), database, user];
        text.lines().find_map(|line| entry(line, &wanted))
    })
}

#[cfg(unix)]
fn is_open_to_others(path: &std::path::Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_open_to_others(_path: &std::path::Path) -> bool {
    false
}

fn entry(line: &str, wanted: &[&str; 4]) -> Option<Secret> {
    if line.starts_with('#') {
        return None;
    }
    let mut rest = line;
    for want in wanted {
        let (field, behind) = field(rest)?;
        if field != "*" && field != *want {
            return None;
        }
        rest = behind;
    }
    let password = field(rest).map_or_else(|| unescaped(rest), |(password, _)| password);
    (!password.is_empty()).then(|| Secret::new(password))
}

/// The text up to the next colon that has no backslash before it, and what stands behind.
fn field(text: &str) -> Option<(String, &str)> {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        if c == ':' && !escaped {
            let (field, behind) = text.split_at(at);
            return Some((unescaped(field), behind.get(1..).unwrap_or_default()));
        }
        escaped = c == '\\' && !escaped;
    }
    None
}

fn unescaped(text: &str) -> String {
    let mut chars = text.chars();
    let mut plain = String::new();
    while let Some(c) = chars.next() {
        plain.push(if c == '\\' { chars.next().unwrap_or(c) } else { c });
    }
    plain
}
