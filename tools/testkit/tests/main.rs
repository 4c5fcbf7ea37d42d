//! The helpers of tests, where a mistake in them would pass for one of the product.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod cluster;
