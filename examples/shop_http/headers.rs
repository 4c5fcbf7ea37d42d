//! What the headers of a request ask for.

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::IF_MATCH;
use axum::http::request::Parts;
use foldlog::prelude::*;
use uuid::Uuid;

use super::problem::Problem;

/// The version that a request was made for, as the `ETag` of an answer gave it.
pub enum IfMatch {
    /// The header is missing.
    Unsaid,
    /// `*`: whatever the version is.
    Any,
    Version(u64),
    /// A tag that no cart ever has: a weak one, or one of another server.
    Never,
}

/// The id of the command, if the client may send it again.
pub struct CommandId(pub Option<Uuid>);

/// What the client has seen already.
pub struct After(pub Option<Token>);

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(tag) = text(&parts.headers, IF_MATCH.as_str())? else { return Ok(Self::Unsaid) };
        if tag == "*" {
            return Ok(Self::Any);
        }
        if tag.contains(',') {
            return Err(Problem::bad_request("If-Match names one version here, or *"));
        }
        Ok(quoted(tag).and_then(|version| version.parse().ok()).map_or(Self::Never, Self::Version))
    }
}

impl<S: Sync> FromRequestParts<S> for CommandId {
    type Rejection = Problem;

    /// A uuid is taken as it is; of any other key one is made, always the same. A server with several
    /// clients would put the client's name into it, so that they can't meet.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(key) = text(&parts.headers, "idempotency-key")? else { return Ok(Self(None)) };
        let key = quoted(key).unwrap_or(key);
        if key.is_empty() || key.len() > 255 {
            return Err(Problem::bad_request("Idempotency-Key has 1 to 255 characters"));
        }
        let id = key.parse().unwrap_or_else(|_| Uuid::new_v5(&Uuid::NAMESPACE_OID, key.as_bytes()));
        Ok(Self(Some(id)))
    }
}

impl<S: Sync> FromRequestParts<S> for After {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let token = text(&parts.headers, "foldlog-token")?.map(str::parse).transpose();
        token.map(Self).map_err(|error: foldlog::Error| Problem::bad_request(&error.to_string()))
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h str>, Problem> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => match value.to_str() {
            Ok(text) => Ok(Some(text.trim())),
            Err(_) => Err(Problem::bad_request(&format!("{name} is no text"))),
        },
        _ => Err(Problem::bad_request(&format!("{name} stands more than once"))),
    }
}

fn quoted(text: &str) -> Option<&str> {
    text.strip_prefix('"')?.strip_suffix('"')
}
