//! What serde_json says of a text, without the text.

use std::error::Error as StdError;
use std::fmt;

use serde_json::error::Category;

/// The cause of an error of JSON: what was expected, and where, but no value of a payload. serde quotes
/// values, and whoever logs an error with its causes would log what customers wrote.
#[derive(Debug)]
pub(super) struct JsonFault(String);

impl JsonFault {
    pub(super) fn of(error: &serde_json::Error) -> Self {
        let said = error.to_string();
        let place = match (error.line(), error.column()) {
            (0, _) => String::new(),
            (line, column) => format!(" at line {line} column {column}"),
        };
        let said = said.strip_suffix(&place).unwrap_or(&said);
        let told = match error.classify() {
            // serde_json's own sentences, of which there are a few.
            Category::Io | Category::Syntax | Category::Eof => said.to_owned(),
            Category::Data => without_values(said),
        };
        Self(told + &place)
    }
}

/// One of serde's sentences without what it quotes of the data. Of others, which the types of the user
/// may write as they please, nothing is left.
fn without_values(said: &str) -> String {
    const FIELDS: [&str; 2] = ["missing field `", "duplicate field `"];
    const KINDS: [&str; 4] =
        ["invalid type: ", "invalid value: ", "unknown variant ", "unknown field "];
    if FIELDS.iter().any(|start| said.starts_with(start)) {
        return said.to_owned();
    }
    let found = KINDS.iter().find_map(|start| Some((start, said.strip_prefix(start)?)));
    let Some((start, rest)) = found else { return "a value that its type refuses".to_owned() };
    // The last one is serde's: whatever stands before may be the value's.
    let expected = rest.rsplit_once(", expected ").map_or("", |(_, expected)| expected);
    let kind = rest.split(['"', '`', ',']).next().unwrap_or_default();
    match (kind.trim(), expected) {
        ("", "") => start.trim().to_owned(),
        ("", expected) => format!("{}, expected {expected}", start.trim()),
        (kind, expected) => format!("{start}{kind}, expected {expected}"),
    }
}

impl fmt::Display for JsonFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for JsonFault {}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde::de::Error as _;

    use super::*;
    use crate::error::{Error, ErrorKind};

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Account {
        #[expect(dead_code, reason = "only read")]
        cents: i64,
        #[expect(dead_code, reason = "only read")]
        state: Option<State>,
        #[expect(dead_code, reason = "only read")]
        mark: Option<char>,
    }

    #[derive(Debug, Deserialize)]
    enum State {
        Open,
    }

    fn said(json: &str) -> String {
        let error = serde_json::from_str::<Account>(json).unwrap_err();
        let error = Error::new(ErrorKind::Decode, "no account").with_source(error);
        let cause = error.source().unwrap().to_string();
        assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
        cause
    }

    #[test]
    fn a_cause_says_what_was_expected_and_where_and_quotes_nothing() {
        for (json, expected) in [
            (r#"{"cents":"s3cret"}"#, "invalid type: string, expected i64 at line 1 column 17"),
            (
                r#"{"cents":"a, expected s3cret \" b"}"#,
                "invalid type: string, expected i64 at line 1 column 34",
            ),
            (r#"{"cents":4.5}"#, "invalid type: floating point, expected i64 at line 1 column 12"),
            (r#"{"cents":true}"#, "invalid type: boolean, expected i64 at line 1 column 13"),
            (
                r#"{"cents":99999999999999999999}"#,
                "invalid type: floating point, expected i64 at line 1 column 29",
            ),
            (
                r#"{"cents":1,"s3cret":1}"#,
                "unknown field, expected one of `cents`, `state`, `mark` at line 1 column 19",
            ),
            (
                r#"{"cents":1,"state":"s3cret"}"#,
                "unknown variant, expected `Open` at line 1 column 27",
            ),
            (
                r#"{"cents":1,"mark":"s3cret"}"#,
                "invalid value: string, expected a character at line 1 column 26",
            ),
            ("{}", "missing field `cents` at line 1 column 2"),
            (r#"{"cents":1,"cents":2}"#, "duplicate field `cents` at line 1 column 18"),
            (r#"{"cents":s3cret}"#, "expected value at line 1 column 10"),
            (r#"{"cents":"#, "EOF while parsing a value at line 1 column 9"),
        ] {
            assert_eq!(said(json), expected, "{json}");
        }
        let own = serde_json::Error::custom("s3cret is no IBAN");
        assert_eq!(JsonFault::of(&own).to_string(), "a value that its type refuses");
        assert!(matches!(serde_json::from_str(r#""Open""#), Ok(State::Open)));
    }
}
