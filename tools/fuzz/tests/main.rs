//! Every target on its corpus, and on mutations of it: what no nightly compiler is needed for.

mod corpus;
mod layout;
mod mutation;
mod replay;
