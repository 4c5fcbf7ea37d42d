//! The routes: what HTTP makes of commands and views.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::Uri;
use axum::http::header::ETAG;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use foldlog::CommandOf;
use foldlog::prelude::*;
use serde::Deserialize;
use uuid::Uuid;

use super::cart::{Add, Asked, Cart, CartId, CartRow, CheckOut, Sum};
use super::headers::{After, CommandId, IfMatch};
use super::problem::Problem;

pub fn builder(db: Db) -> foldlog::AppBuilder {
    App::builder(db).aggregate::<Cart>().view::<CartRow>()
}

pub fn router(app: App, wait: Duration) -> Router {
    Router::new()
        .route("/carts/{id}", get(show))
        .route("/carts/{id}/items", post(add))
        .route("/carts/{id}/checkout", post(check_out))
        .with_state(Shop { app, wait })
}

#[derive(Clone)]
struct Shop {
    app: App,
    wait: Duration,
}

/// Whoever adds may name the version he saw, and need not: two who add don't harm one another.
async fn add(
    State(shop): State<Shop>,
    Path(id): Path<String>,
    uri: Uri,
    version: IfMatch,
    key: CommandId,
    body: Bytes,
) -> Result<Response, Problem> {
    let command: Add = serde_json::from_slice(&body).map_err(|error| {
        Problem::bad_request(&format!("the body is not what is added: {error}"))
    })?;
    let request = fingerprint(uri.path(), &body);
    execute(&shop, &CartId(id), Asked { command, request }, request, version, key).await
}

/// Whoever pays must have seen for what.
async fn check_out(
    State(shop): State<Shop>,
    Path(id): Path<String>,
    uri: Uri,
    version: IfMatch,
    key: CommandId,
    body: Bytes,
) -> Result<Response, Problem> {
    if matches!(version, IfMatch::Unsaid) {
        return Err(Problem::precondition_required());
    }
    let request = fingerprint(uri.path(), &body);
    execute(&shop, &CartId(id), Asked { command: CheckOut, request }, request, version, key).await
}

async fn execute<C: CommandOf<Cart, Reply = Sum>>(
    shop: &Shop,
    id: &CartId,
    command: C,
    request: Uuid,
    version: IfMatch,
    key: CommandId,
) -> Result<Response, Problem> {
    let mut execute = shop.app.execute(id, command);
    let is_expected = match version {
        IfMatch::Never => return Err(Problem::precondition_failed()),
        IfMatch::Version(version) => {
            execute = execute.expect_version(version);
            true
        }
        IfMatch::Any | IfMatch::Unsaid => false,
    };
    if let CommandId(Some(key)) = key {
        execute = execute.command_id(key);
    }
    let done = execute.await.map_err(|error| Problem::of_command(error, is_expected))?;
    // A repetition is answered as the first time; one that asks for something else is none.
    if done.repeated && done.reply.request != request {
        return Err(Problem::key_reused());
    }
    let token = [("foldlog-token", done.token.to_string())];
    Ok(([(ETAG, tag(done.version))], token, Json(done.reply)).into_response())
}

#[derive(Deserialize)]
struct Shown {
    /// The same as the header `Foldlog-Token`, for a link.
    after: Option<Token>,
}

/// The cart as the view has it; at least as new as what the client says it has seen.
async fn show(
    State(shop): State<Shop>,
    Path(id): Path<String>,
    Query(shown): Query<Shown>,
    After(token): After,
) -> Result<Response, Problem> {
    let (id, carts) = (CartId(id), shop.app.view::<CartRow>());
    let row = match token.or(shown.after) {
        Some(token) => carts.at_least(&token).timeout(shop.wait).get(&id).await,
        None => carts.get(&id).await,
    };
    let row = row.map_err(|error| Problem::of_read(&error))?.ok_or_else(Problem::not_found)?;
    Ok(([(ETAG, tag(row.version))], Json(row)).into_response())
}

fn tag(version: u64) -> String {
    format!("\"{version}\"")
}

/// What a request asks for, whatever its headers say.
fn fingerprint(path: &str, body: &[u8]) -> Uuid {
    Uuid::new_v5(&Uuid::new_v5(&Uuid::NAMESPACE_URL, path.as_bytes()), body)
}
