//! A real PostgreSQL and a database of its own for each test.
//!
//! ```no_run
//! # async fn shown() {
//! let template = foldlog_testkit::template("store", "the text of all migrations", async |db| {
//!     // Run the migrations on `db`.
//! #   let _ = db;
//! })
//! .await;
//! let database = template.database().await;
//! let pool = database.db().pool().clone();
//! # }
//! ```
//!
//! A helper of tests panics, as an assertion does, when there is no server or a statement fails.

mod admin;
mod cluster;
mod database;
mod server;
mod sweep;
mod template;
mod wait;

pub use cluster::Cluster;
pub use database::TestDatabase;
pub use server::{TestServer, server};
pub use sweep::{Audit, Cut, sweep};
pub use template::{Template, template};
pub use wait::wait_until;
