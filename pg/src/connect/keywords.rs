//! From pairs and variables to an endpoint: which keys there are and what they may say.

use std::str::FromStr;
use std::time::Duration;

use foldlog_core::Error;

use super::{Endpoint, Host, Secret, Target, TlsMode, Variables, invalid, passfile};

/// Long enough for a far server, short enough to notice a wrong address.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The keys, each with the variable that stands in for it.
const KEYS: [(&str, &str); 16] = [
    ("host", "PGHOST"),
    ("hostaddr", "PGHOSTADDR"),
    ("port", "PGPORT"),
    ("user", "PGUSER"),
    ("password", "PGPASSWORD"),
    ("dbname", "PGDATABASE"),
    ("passfile", "PGPASSFILE"),
    ("sslmode", "PGSSLMODE"),
    ("sslrootcert", "PGSSLROOTCERT"),
    ("sslcert", "PGSSLCERT"),
    ("sslkey", "PGSSLKEY"),
    ("application_name", "PGAPPNAME"),
    ("options", "PGOPTIONS"),
    ("target_session_attrs", "PGTARGETSESSIONATTRS"),
    ("connect_timeout", "PGCONNECT_TIMEOUT"),
    ("statement-cache-capacity", ""),
];

/// Keys of libpq that change nothing here: they are on by default, or have no meaning.
const PASSED_OVER: [&str; 4] =
    ["channel_binding", "keepalives", "fallback_application_name", "gssencmode"];

/// Whether a parameter may have this name.
pub(super) fn is_known(key: &str) -> bool {
    KEYS.iter().any(|(name, _)| *name == key)
        || PASSED_OVER.contains(&key)
        || key.starts_with("options[")
}

/// Whether its value may be any text: an error never quotes it.
pub(super) fn is_free_text(key: &str) -> bool {
    const BOUND: [&str; 5] =
        ["port", "sslmode", "target_session_attrs", "connect_timeout", "statement-cache-capacity"];
    is_known(key) && !BOUND.contains(&key)
}

/// The pairs of `key=value key='a value'`, as libpq writes them.
pub(super) fn pairs(text: &str) -> Result<Vec<(String, String)>, Error> {
    let mut pairs = Vec::new();
    let mut chars = text.chars().peekable();
    loop {
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        if chars.peek().is_none() {
            return Ok(pairs);
        }
        let mut key = String::new();
        while let Some(c) = chars.next_if(|&c| c != '=' && !c.is_whitespace()) {
            key.push(c);
        }
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        if chars.next() != Some('=') {
            return Err(invalid(
                "the address of the database is neither a URL (postgres://…) nor key=value pairs",
            ));
        }
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        let quoted = chars.next_if_eq(&'\'').is_some();
        let mut value = String::new();
        loop {
            match chars.next() {
                Some('\\') => value.extend(chars.next()),
                Some('\'') if quoted => break,
                Some(c) if !quoted && c.is_whitespace() => break,
                Some(c) => value.push(c),
                None if quoted => return Err(invalid(format!("the quote of {key} is not closed"))),
                None => break,
            }
        }
        pairs.push((key, value));
    }
}

/// What was written, in front of what the environment says.
struct Given<'a> {
    pairs: Vec<(String, String)>,
    variables: &'a Variables,
}

impl Given<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        let written = self.pairs.iter().rev().find(|(name, _)| name == key);
        written.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty()).or_else(|| {
            let (_, variable) = KEYS.iter().find(|(name, _)| *name == key)?;
            self.variables.get(variable)
        })
    }

    fn number<T: FromStr>(&self, key: &str) -> Result<Option<T>, Error> {
        let Some(text) = self.get(key) else { return Ok(None) };
        match text.parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(invalid(format!("{key} is {text:?}, which is no number it can be"))),
        }
    }
}

pub(super) fn endpoint(
    pairs: Vec<(String, String)>,
    variables: &Variables,
) -> Result<Endpoint, Error> {
    let mut settings = Vec::new();
    let mut known = Vec::new();
    for (key, value) in pairs {
        if let Some(name) = key.strip_prefix("options[").and_then(|key| key.strip_suffix(']')) {
            settings.push(format!("-c {name}={}", value.replace('\\', "\\\\").replace(' ', "\\ ")));
        } else if KEYS.iter().any(|(name, _)| *name == key) {
            known.push((key, value));
        } else if !PASSED_OVER.contains(&key.as_str()) {
            return Err(invalid(format!(
                "the database URL has the parameter {key}, which foldlog does not know; \
                 mend its spelling or take it out"
            )));
        }
    }
    let given = Given { pairs: known, variables };
    let hosts = hosts(&given)?;
    let user = match given.get("user") {
        Some(user) => user.to_owned(),
        None => variables.get("USER").or(variables.get("LOGNAME")).unwrap_or("postgres").to_owned(),
    };
    let database = given.get("dbname").unwrap_or(&user).to_owned();
    let password = match given.get("password") {
        Some(password) => Some(Secret::new(password)),
        None => passfile::password(given.get("passfile"), variables, &hosts, &database, &user),
    };
    settings.splice(0..0, given.get("options").map(ToOwned::to_owned));
    let (tls, root_certificate) = tls(&given, &hosts)?;
    let seconds = given.number::<u64>("connect_timeout")?;
    Ok(Endpoint {
        user,
        password,
        database,
        tls,
        root_certificate,
        client_certificate: given.get("sslcert").map(ToOwned::to_owned),
        client_key: given.get("sslkey").map(Secret::new),
        application: given.get("application_name").map(ToOwned::to_owned),
        options: (!settings.is_empty()).then(|| settings.join(" ")),
        target: target(given.get("target_session_attrs"))?,
        connect_timeout: match seconds {
            None | Some(0) => CONNECT_TIMEOUT,
            // Below two seconds libpq rounds up as well.
            Some(seconds) => Duration::from_secs(seconds.max(2)),
        },
        statement_cache: given.number("statement-cache-capacity")?,
        hosts,
    })
}

fn hosts(given: &Given<'_>) -> Result<Vec<Host>, Error> {
    let written = given.get("host").or(given.get("hostaddr")).unwrap_or_default();
    let names: Vec<&str> = written.split(',').map(str::trim).collect();
    let mut ports = Vec::new();
    for text in given.get("port").unwrap_or("5432").split(',').map(str::trim) {
        match if text.is_empty() { Ok(5432) } else { text.parse::<u16>() } {
            Ok(port) if port != 0 => ports.push(port),
            _ => return Err(invalid(format!("the port {text:?} is not between 1 and 65535"))),
        }
    }
    if ports.len() != 1 && ports.len() != names.len() {
        return Err(invalid(format!(
            "there are {} hosts but {} ports; give one port, or one for each host",
            names.len(),
            ports.len()
        )));
    }
    let ports = ports.iter().copied().cycle();
    let host = |(name, port): (&&str, u16)| Host {
        name: if name.is_empty() { Host::usual(port).to_owned() } else { (*name).to_owned() },
        port,
    };
    Ok(names.iter().zip(ports).map(host).collect())
}

fn tls(given: &Given<'_>, hosts: &[Host]) -> Result<(TlsMode, Option<String>), Error> {
    let root = given.get("sslrootcert");
    let system = root == Some("system");
    let file = root.filter(|_| !system).map(ToOwned::to_owned);
    let mode = match given.get("sslmode") {
        Some("disable") => TlsMode::Disable,
        // Without TLS first is what nobody wants; with it first is what is meant.
        Some("allow" | "prefer") => TlsMode::Prefer,
        // As in libpq: who names a root certificate wants it looked at.
        Some("require") if file.is_some() => TlsMode::VerifyCa,
        Some("require") => TlsMode::Require,
        Some("verify-ca") => TlsMode::VerifyCa,
        Some("verify-full") => TlsMode::VerifyFull,
        Some(other) => {
            return Err(invalid(format!(
                "sslmode is {other:?}; it can be disable, prefer, require, verify-ca or verify-full"
            )));
        }
        None if system || file.is_some() => TlsMode::VerifyFull,
        None if hosts.iter().all(Host::is_socket) => TlsMode::Disable,
        None if hosts.iter().all(Host::is_local) => TlsMode::Prefer,
        None => TlsMode::VerifyFull,
    };
    Ok((mode, file))
}

fn target(text: Option<&str>) -> Result<Target, Error> {
    match text {
        None | Some("read-write") => Ok(Target::ReadWrite),
        Some("primary") => Ok(Target::Primary),
        Some("any") => Ok(Target::Any),
        Some(other) => Err(invalid(format!(
            "target_session_attrs is {other:?}; foldlog writes, so it can be read-write, primary or any"
        ))),
    }
}
