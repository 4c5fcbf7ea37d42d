//! A connection URL as key and value pairs: `user:password@host:port,host:port/database?key=value`.

use foldlog_core::Error;
use percent_encoding::percent_decode_str;

use super::{invalid, keywords};

/// The pairs of what stands behind `postgres://`.
pub(super) fn pairs(text: &str) -> Result<Vec<(String, String)>, Error> {
    let mut pairs = Vec::new();
    let (text, query) = text.split_once('?').unwrap_or((text, ""));
    // Then the question mark was part of a password, and no error may quote what is around it.
    if may_hold_login(query, text) {
        return Err(invalid(
            "the database URL has an @ behind its ?: write a ? of the password as %3F, and an @ of \
             a parameter as %40",
        ));
    }
    // A password may hold an `@` that was not encoded: the last one parts it from the hosts.
    let authority_end = path_start(text);
    let (authority, path) = text.split_at(authority_end);
    let (login, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (user, password) = match login.split_once(':') {
        Some((user, password)) => (user, Some(password)),
        None => (login, None),
    };
    // Either @ may end the password, and what is taken for the name of the database is shown to people.
    if password.is_some() && path.contains('@') {
        return Err(invalid(
            "the database URL has an @ before and behind its /: write them as %40 and %2F where they \
             are part of the password or of the database's name",
        ));
    }
    push(&mut pairs, "user", user)?;
    push(&mut pairs, "password", password.unwrap_or_default())?;
    push_hosts(&mut pairs, hosts)?;
    push(&mut pairs, "dbname", path.strip_prefix('/').unwrap_or(path))?;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let Some((key, value)) = pair.split_once('=') else {
            return Err(invalid(format!("the parameter {pair} of the database URL has no value")));
        };
        let key = decode("a parameter's name", key)?;
        let value = decode(&key, value)?;
        // JDBC's spelling, seen in URLs that managed providers hand out.
        if key == "ssl" && value == "true" {
            pairs.push(("sslmode".to_owned(), "require".to_owned()));
        } else {
            pairs.push((key, value));
        }
    }
    Ok(pairs)
}

/// Whether the end of a login stands in what looks like parameters: behind the only `@`, or in what is no
/// value of a parameter that is known.
fn may_hold_login(query: &str, before: &str) -> bool {
    let Some((head, _)) = query.rsplit_once('@') else { return false };
    let key = |pair: &str| pair.split_once('=').map(|(key, _)| key.to_owned());
    let known = |pair: &str| key(pair).is_some_and(|key| keywords::is_known(&key));
    let last = head.rsplit('&').next().and_then(key);
    let is_value = last.is_some_and(|key| keywords::is_free_text(&key));
    !before.contains('@') || !is_value || !head.split('&').all(known)
}

/// Where the path begins: the first slash behind the login, which may hold slashes itself.
fn path_start(text: &str) -> usize {
    let behind_login = match (text.rfind('@'), text.find('/')) {
        // An `@` in the path belongs to the path, unless there is no other to end a login.
        (Some(at), Some(slash)) if slash < at => {
            text.get(..slash).and_then(|head| head.rfind('@')).unwrap_or(at)
        }
        (Some(at), _) => at,
        (None, _) => 0,
    };
    let rest = text.get(behind_login..).unwrap_or_default();
    rest.find('/').map_or(text.len(), |slash| behind_login + slash)
}

fn push(pairs: &mut Vec<(String, String)>, key: &str, value: &str) -> Result<(), Error> {
    if !value.is_empty() {
        pairs.push((key.to_owned(), decode(key, value)?));
    }
    Ok(())
}

fn push_hosts(pairs: &mut Vec<(String, String)>, text: &str) -> Result<(), Error> {
    if text.is_empty() {
        return Ok(());
    }
    let (mut hosts, mut ports) = (Vec::new(), Vec::new());
    for item in text.split(',') {
        let (host, port) = match item.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((address, port)) => (address, port.strip_prefix(':').unwrap_or(port)),
            None => item.split_once(':').unwrap_or((item, "")),
        };
        hosts.push(decode("host", host)?);
        ports.push(port.to_owned());
    }
    if hosts.iter().any(|host| !host.is_empty()) {
        pairs.push(("host".to_owned(), hosts.join(",")));
    }
    if ports.iter().any(|port| !port.is_empty()) {
        pairs.push(("port".to_owned(), ports.join(",")));
    }
    Ok(())
}

fn decode(key: &str, value: &str) -> Result<String, Error> {
    match percent_decode_str(value).decode_utf8() {
        Ok(text) if !text.contains('\0') => Ok(text.into_owned()),
        // The value itself stays out of the message: it may be a password.
        _ => Err(invalid(format!("{key} in the database URL is not UTF-8 once it is decoded"))),
    }
}
