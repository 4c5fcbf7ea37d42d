//! Limits: what is refused before it is stored, because it could not be read back later.

use foldlog_core::{Error, ErrorKind};

/// The largest payload of one event, in bytes.
pub const EVENT_BYTES_MAX: usize = 1 << 20;
/// The largest metadata of an append, in bytes: each of its events carries it.
pub const METADATA_BYTES_MAX: usize = 16 << 10;
/// The deepest nesting of arrays and objects in a payload.
pub const EVENT_DEPTH_MAX: usize = 64;
/// The most events of one append.
pub const APPEND_EVENTS_MAX: usize = 1_000;
/// The most bytes of payload of one append.
pub const APPEND_BYTES_MAX: usize = 16 << 20;

/// The most tags of one event.
pub const EVENT_TAGS_MAX: usize = 64;

/// Checks one JSON text: size, depth, NUL characters, and numbers that don't come back.
pub(crate) fn check_json(what: &str, kind: &str, json: &str) -> Result<(), Error> {
    if json.len() > EVENT_BYTES_MAX {
        return Err(refused(format!(
            "the {what} of an event of type {kind} has {} bytes, the limit is {EVENT_BYTES_MAX}: \
             store the bulk elsewhere and a reference to it in the event",
            json.len()
        )));
    }
    match flaw(json) {
        None => Ok(()),
        Some(flaw) => {
            Err(refused(format!("the {what} of an event of type {kind} {flaw}, so it is refused")))
        }
    }
}

pub(crate) fn check_append(events: usize, bytes: usize) -> Result<(), Error> {
    if events > APPEND_EVENTS_MAX {
        return Err(refused(format!(
            "an append of {events} events is over the limit of {APPEND_EVENTS_MAX}: split it"
        )));
    }
    if bytes > APPEND_BYTES_MAX {
        return Err(refused(format!(
            "an append of {bytes} bytes is over the limit of {APPEND_BYTES_MAX}: split it"
        )));
    }
    Ok(())
}

pub(crate) fn check_tags(kind: &str, tags: usize) -> Result<(), Error> {
    if tags > EVENT_TAGS_MAX {
        return Err(refused(format!(
            "an event of type {kind} has {tags} tags, the limit is {EVENT_TAGS_MAX}: tag it by what \
             decisions rest on, and nothing else"
        )));
    }
    Ok(())
}

fn refused(message: String) -> Error {
    Error::new(ErrorKind::Invalid, message)
}

/// One pass over well-formed JSON; it allocates nothing.
fn flaw(json: &str) -> Option<&'static str> {
    let bytes = json.as_bytes();
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                let end = string_end(bytes, at + 1);
                if let Some(flaw) = string_flaw(bytes.get(at..end)?) {
                    return Some(flaw);
                }
                at = end;
                continue;
            }
            b'[' | b'{' => {
                depth += 1;
                if depth > EVENT_DEPTH_MAX {
                    return Some("is nested more than 64 deep");
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'-' | b'0'..=b'9' => {
                let end = number_end(bytes, at);
                if !comes_back(json.get(at..end)?) {
                    return Some("holds a number that no machine type holds");
                }
                at = end;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// The index after the closing quote of a string whose content begins at `at`.
fn string_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    at.min(bytes.len())
}

fn string_flaw(string: &[u8]) -> Option<&'static str> {
    let mut at = 0;
    while let Some(byte) = string.get(at) {
        if *byte != b'\\' {
            at += 1;
            continue;
        }
        at += match escaped_unit(string, at) {
            None => 2,
            Some(0) => return Some("holds a NUL character, which PostgreSQL's text can't"),
            Some(0xd800..=0xdbff)
                if matches!(escaped_unit(string, at + 6), Some(0xdc00..=0xdfff)) =>
            {
                12
            }
            Some(0xd800..=0xdfff) => return Some("holds half of a character (a lone surrogate)"),
            Some(_) => 6,
        };
    }
    None
}

/// The number of an escape of the form `\u12ab`, if one stands there.
fn escaped_unit(string: &[u8], at: usize) -> Option<u32> {
    let digits = string.get(at..at + 6)?.strip_prefix(b"\\u")?;
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

fn number_end(bytes: &[u8], mut at: usize) -> usize {
    while matches!(bytes.get(at), Some(b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')) {
        at += 1;
    }
    at
}

/// Whether some type of Rust holds the number: 128-bit integers, or a finite float.
fn comes_back(number: &str) -> bool {
    if number.bytes().all(|b| b.is_ascii_digit() || b == b'-') {
        return number.parse::<i128>().is_ok() || number.parse::<u128>().is_ok();
    }
    number.parse::<f64>().is_ok_and(f64::is_finite)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_read_back_is_refused() {
        let deep = format!("{}{}", "[".repeat(65), "]".repeat(65));
        let long = format!("\"{}\"", "x".repeat(EVENT_BYTES_MAX));
        let digits = "9".repeat(40);
        let lone = [r#""\ud800""#, r#""\udc00\ud800""#, r#""\ud800x\udc00""#, r#""\uD83D\n""#];
        for json in [r#""a\u0000b""#, r#"{"\u0000":1}"#, &deep, "1e999", &long, &digits]
            .into_iter()
            .chain(lone)
        {
            let error = check_json("payload", "T", json).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{json:.20}");
        }
    }

    #[test]
    fn what_only_looks_dangerous_is_taken() {
        let deep = format!("{}{}", "[".repeat(64), "]".repeat(64));
        for json in [
            r#""a\\u0000b""#,
            r#""\ud83d\ude00\\ud800""#,
            r#"{"a":"[[[{{{"}"#,
            &deep,
            "-1.5e300",
            "\"\\\"\"",
            "1e-999",
        ] {
            check_json("payload", "T", json).unwrap();
        }
    }

    #[test]
    fn an_append_is_bounded_in_events_and_bytes() {
        check_append(APPEND_EVENTS_MAX, APPEND_BYTES_MAX).unwrap();
        assert!(check_append(APPEND_EVENTS_MAX + 1, 0).is_err());
        assert!(check_append(1, APPEND_BYTES_MAX + 1).is_err());
    }
}
