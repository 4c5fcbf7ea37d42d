//! What the facade promises, on real servers.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod appends;
mod bank;
mod book;
mod boundaries;
mod cache;
mod cancellation;
mod commands;
mod conflicts;
mod event_views;
mod examples;
mod export;
mod futures;
mod import_cqrs_es;
mod lifecycle;
mod marks;
mod past;
mod prepare;
mod privileges;
mod receipts;
mod retail;
mod retention;
mod shop_http;
mod snapshots;
mod tally;
mod tickets;
mod views;
mod within;
mod within_tokio;
