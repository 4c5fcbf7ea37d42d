//! Attacks foldlog with real faults and checks the recorded history.

fn main() {}
