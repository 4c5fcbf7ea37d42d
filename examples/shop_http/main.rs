//! Carts of a shop over HTTP: `cargo run --example shop_http`, then
//!
//! ```sh
//! curl -i localhost:3000/carts/7/items -d '{"sku":"tea","count":2}' -H 'idempotency-key: "a"'
//! curl -i localhost:3000/carts/7 -H 'foldlog-token: f1.…'      # waits for what the answer above did
//! curl -i -X POST localhost:3000/carts/7/checkout -H 'if-match: "1"'
//! ```
//!
//! In reading order: [`cart`] is the domain, [`routes`] what HTTP makes of it, [`headers`] what a
//! request asks for besides, [`problem`] every answer that is no success.
#![allow(unreachable_pub, reason = "a program: its modules are private, and nothing reaches out")]

pub(crate) mod cart;
mod headers;
pub(crate) mod problem;
pub(crate) mod routes;

use std::time::Duration;

use foldlog::prelude::*;

/// How long a read waits for its token, before it says why the view is stale.
const WAIT: Duration = Duration::from_secs(2);

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let app = routes::builder(Db::from_env().await?).start().await?;
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("http://{}", listener.local_addr()?);
    axum::serve(listener, routes::router(app.clone(), WAIT))
        .with_graceful_shutdown(async { drop(tokio::signal::ctrl_c().await) })
        .await?;
    // Requests have been answered; workers put down what they hold.
    Ok(app.shutdown().await?)
}
