//! The shop of the example, asked by a client over HTTP.

use std::process::Stdio;
use std::time::Duration;

use axum::response::IntoResponse as _;
use foldlog::Since;
use foldlog::prelude::*;
use foldlog_testkit::TestDatabase;
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio_util::sync::{CancellationToken, DropGuard};

#[allow(dead_code, reason = "only its `main` is not used")]
#[path = "../examples/shop_http/main.rs"]
mod program;

use program::problem::Problem;

/// A shop on a port of its own.
struct Shop {
    app: App,
    at: String,
    client: Client,
    _end: DropGuard,
    _database: TestDatabase,
}

/// What came back.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    tag: String,
    token: String,
    retry_after: String,
    kind: String,
    body: Value,
}

impl Shop {
    async fn open(works: bool) -> Self {
        let database = crate::bank::database().await;
        let builder = program::routes::builder(database.db());
        let builder = if works { builder } else { builder.without_workers() };
        let app = builder.start().await.unwrap();
        let wait = if works { Duration::from_secs(60) } else { Duration::from_millis(50) };
        let router = program::routes::router(app.clone(), wait);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = format!("http://{}/carts", listener.local_addr().unwrap());
        let end = CancellationToken::new();
        let ended = end.clone().cancelled_owned();
        tokio::spawn(axum::serve(listener, router).with_graceful_shutdown(ended).into_future());
        // Nothing is encrypted here, but the client wants to know how it would be: other crates have
        // switched TLS on, and named no provider.
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = Client::builder().no_proxy().build().unwrap();
        Self { app, at, client, _end: end.drop_guard(), _database: database }
    }

    fn add(&self, cart: &str, count: u32) -> RequestBuilder {
        let item = json!({"sku": "tea", "count": count});
        self.client.post(format!("{}/{cart}/items", self.at)).json(&item)
    }

    fn check_out(&self, cart: &str) -> RequestBuilder {
        self.client.post(format!("{}/{cart}/checkout", self.at))
    }

    fn show(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{}/{path}", self.at))
    }
}

async fn sent(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let header =
        |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    Answer {
        status: response.status(),
        tag: header("etag").unwrap_or_default(),
        token: header("foldlog-token").unwrap_or_default(),
        retry_after: header("retry-after").unwrap_or_default(),
        kind: header("content-type").unwrap_or_default(),
        body: response.json().await.unwrap(),
    }
}

/// An answer of this status, with problem details.
async fn refused(request: RequestBuilder, status: u16) -> Answer {
    let answer = sent(request).await;
    assert_eq!(answer.status.as_u16(), status, "{answer:?}");
    assert_eq!(answer.kind, "application/problem+json");
    assert_eq!(answer.body["status"], status);
    assert!(answer.body["title"].is_string() && answer.body["detail"].is_string(), "{answer:?}");
    answer
}

async fn accepted(request: RequestBuilder) -> Answer {
    let answer = sent(request).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_eq!(answer.kind, "application/json");
    answer
}

#[tokio::test]
async fn a_read_with_the_token_of_a_write_sees_it() {
    let shop = Shop::open(true).await;
    for count in 1..=5 {
        let added = accepted(shop.add("7", 1)).await;
        assert_eq!(added.tag, format!("\"{count}\""));
        let shown = accepted(shop.show("7").header("foldlog-token", &added.token)).await;
        assert_eq!((&shown.tag, &shown.body["count"]), (&added.tag, &json!(count)));
        let linked = accepted(shop.show(&format!("7?after={}", added.token))).await;
        assert_eq!(linked.body, shown.body);
    }
    refused(shop.show("8"), 404).await;
    shop.app.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_version_that_was_passed_by_is_a_failed_precondition() {
    let shop = Shop::open(false).await;
    accepted(shop.add("7", 1).header("if-match", "\"0\"")).await;
    let failed = refused(shop.add("7", 1).header("if-match", "\"0\""), 412).await;
    assert_eq!(failed.body["version"], 1);
    accepted(shop.add("7", 1).header("if-match", "*")).await;
    refused(shop.check_out("7"), 428).await;
    for tag in ["\"1\"", "W/\"2\"", "\"two\"", "2"] {
        refused(shop.check_out("7").header("if-match", tag), 412).await;
    }
    refused(shop.check_out("7").header("if-match", "\"1\", \"2\""), 400).await;
    let paid = accepted(shop.check_out("7").header("if-match", "\"2\"")).await;
    assert_eq!((&*paid.tag, &paid.body["cents"]), ("\"3\"", &json!(900)));
}

#[tokio::test]
async fn a_request_sent_again_with_its_key_counts_once() {
    let shop = Shop::open(false).await;
    let key = "\"8e03978e-40d5-43e8-bc93-6894a57f9324\"";
    for (cart, key) in [("7", key), ("8", "order of tuesday"), ("9", "\"a\"")] {
        // The version has passed by at the second time; a repetition is answered all the same.
        let request =
            || shop.add(cart, 2).header("idempotency-key", key).header("if-match", "\"0\"");
        let first = accepted(request()).await;
        let again = accepted(request()).await;
        assert_eq!(
            (&again.tag, &again.token, &again.body),
            (&first.tag, &first.token, &first.body)
        );
        // The key with another body, and for another cart.
        refused(shop.add(cart, 3).header("idempotency-key", key), 422).await;
        refused(shop.add("10", 2).header("idempotency-key", key), 422).await;
        assert_eq!(accepted(shop.add(cart, 1)).await.body["count"], 3);
    }
    let long = "k".repeat(256);
    for bad in ["", "\"\"", &long] {
        refused(shop.add("7", 1).header("idempotency-key", bad), 400).await;
    }
}

#[tokio::test]
async fn a_command_that_the_cart_does_not_allow_is_told_why() {
    let shop = Shop::open(false).await;
    let empty = refused(shop.check_out("7").header("if-match", "\"0\""), 422).await;
    assert_eq!(empty.body["detail"], "there is nothing in the cart");
    refused(shop.add("7", 101), 422).await;
    refused(shop.add("7", 1).body(r#"{"sku":"cow","count":1}"#), 422).await;
    refused(shop.add("7", 0), 400).await;
    refused(shop.add("7", 1).body("tea"), 400).await;
    refused(shop.add(&"7".repeat(300), 1), 400).await;
}

#[tokio::test]
async fn a_view_that_does_not_come_up_in_time_says_why() {
    let shop = Shop::open(false).await;
    let added = accepted(shop.add("7", 1)).await;
    let stale = refused(shop.show("7").header("foldlog-token", &added.token), 503).await;
    assert_eq!(stale.retry_after, "1");
    let detail = stale.body["detail"].as_str().unwrap();
    assert!(detail.contains("no live worker owns slice class"), "{detail}");
    // Who asks for nothing gets what there is.
    refused(shop.show("7"), 404).await;
    refused(shop.show("7").header("foldlog-token", "f1.AAAA"), 400).await;
    let foreign = foldlog::Token::new(
        foldlog::StoreId::new(uuid::Uuid::from_u128(1), 0),
        0,
        foldlog::Position::new(1),
    );
    refused(shop.show("7").header("foldlog-token", foreign.to_string()), 400).await;
    shop.app.shutdown().await.unwrap();
    refused(shop.add("7", 1), 503).await;
}

#[test]
fn a_cart_that_too_many_change_at_once_is_a_conflict_and_no_failed_precondition() {
    let stream = StreamName::parse(&Tenant::default(), "cart-7").unwrap();
    for (is_expected, status) in [(false, 409), (true, 412)] {
        let error = ExecuteError::Conflict {
            stream: stream.clone(),
            expected: Expected::Exact(1),
            actual: 2,
            since: Since::default(),
        };
        let answer = Problem::of_command(error, is_expected).into_response();
        assert_eq!(answer.status().as_u16(), status);
    }
}

#[tokio::test]
async fn the_shop_ends_when_it_is_interrupted() {
    let database = foldlog_testkit::server().await.database().await;
    let mut shop = tokio::process::Command::new(crate::examples::built("shop_http"));
    shop.arg("127.0.0.1:0").env("DATABASE_URL", database.url()).kill_on_drop(true);
    let mut shop = shop.stdout(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(shop.stdout.take().unwrap()).lines();
    let at = said.next_line().await.unwrap().unwrap();
    let mut socket = TcpStream::connect(at.strip_prefix("http://").unwrap()).await.unwrap();
    socket
        .write_all(b"GET /carts/7 HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
    let pid = shop.id().unwrap().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    assert!(shop.wait().await.unwrap().success());
}
