//! Measures foldlog against the limit of the same machine in the same run.

fn main() {}
