//! Every answer that is no success: problem details, RFC 9457.

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use foldlog::ErrorKind;
use foldlog::prelude::*;
use serde_json::{Value, json};

use super::cart::Refused;

pub struct Problem {
    status: StatusCode,
    title: &'static str,
    detail: String,
    /// More members, for a program that reads the answer.
    more: Value,
    /// Whether the same request may succeed in a moment.
    may_pass: bool,
}

impl Problem {
    fn new(status: StatusCode, title: &'static str, detail: impl Into<String>) -> Self {
        Self { status, title, detail: detail.into(), more: Value::Null, may_pass: false }
    }

    pub fn bad_request(detail: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "the request can't be understood", detail)
    }

    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "there is no such cart", "nothing was ever put into it")
    }

    pub fn precondition_required() -> Self {
        let detail = "send If-Match with the ETag of the cart as you saw it";
        Self::new(StatusCode::PRECONDITION_REQUIRED, "the version is missing", detail)
    }

    pub fn precondition_failed() -> Self {
        let detail = "no cart ever had that ETag: read the cart again";
        Self::new(StatusCode::PRECONDITION_FAILED, "the cart has changed", detail)
    }

    pub fn key_reused() -> Self {
        let detail = "this Idempotency-Key was used before, for another request";
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "the key stands for something else", detail)
    }

    /// `is_expected`: the request named the version it was made for.
    pub fn of_command(error: ExecuteError<Refused>, is_expected: bool) -> Self {
        match error {
            ExecuteError::Rejected(refused) => {
                let title = "the cart does not allow it";
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, title, refused.to_string())
            }
            ExecuteError::Conflict { actual, .. } => {
                let (status, detail) = if is_expected {
                    (StatusCode::PRECONDITION_FAILED, "read the cart again, and decide anew")
                } else {
                    (StatusCode::CONFLICT, "too many changed it at once: send the request again")
                };
                let problem = Self::new(status, "the cart has changed", detail);
                Self { more: json!({ "version": actual }), ..problem }
            }
            ExecuteError::Store(error) if error.kind() == ErrorKind::IdReused => Self::key_reused(),
            ExecuteError::Store(error) => Self::of_store(&error),
            // Somebody holds the stream.
            other => Self::unavailable("the cart is busy", &other.to_string()),
        }
    }

    /// The detail says what keeps the view: a worker that is missing, say, or an open transaction. It is
    /// for those who run the shop; a public one would log it instead.
    pub fn of_read(error: &ReadError) -> Self {
        match error {
            ReadError::Stale { .. } => Self::unavailable("the view is stale", &error.to_string()),
            ReadError::Store(error) => Self::of_store(error),
            other => Self::internal(&other.to_string()),
        }
    }

    fn of_store(error: &foldlog::Error) -> Self {
        match error.kind() {
            // A name or a token that came with the request.
            ErrorKind::Invalid | ErrorKind::Foreign => Self::bad_request(&error.to_string()),
            ErrorKind::Stopped => Self::unavailable("the shop closes", "it will be back"),
            _ if error.is_retryable() => Self::unavailable("the store is busy", "try again"),
            _ => Self::internal(&error.to_string()),
        }
    }

    fn unavailable(title: &'static str, detail: &str) -> Self {
        Self { may_pass: true, ..Self::new(StatusCode::SERVICE_UNAVAILABLE, title, detail) }
    }

    /// What went wrong is for the log.
    fn internal(detail: &str) -> Self {
        eprintln!("error: {detail}");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "the shop failed", "it is in the log")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self { status, title, detail, more, may_pass } = self;
        let mut body = json!({ "title": title, "status": status.as_u16(), "detail": detail });
        if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
            body.extend(more);
        }
        let again = may_pass.then_some([(RETRY_AFTER, "1")]);
        (status, again, [(CONTENT_TYPE, "application/problem+json")], Json(body)).into_response()
    }
}
