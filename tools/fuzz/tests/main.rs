//! Every target on its corpus, and on mutations of it: what no nightly compiler is needed for.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod corpus;
mod layout;
mod mutation;
mod replay;
