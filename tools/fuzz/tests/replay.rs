//! One test for each target.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use crate::{corpus, mutation};

/// How many mutations a target gets, unless its time is over before.
const MUTATIONS: u32 = 20_000;
const TIME: Duration = Duration::from_secs(1);

fn replay(target: &str) {
    let inputs = corpus::of(target);
    for (name, bytes) in &inputs {
        try_on(target, bytes, name);
    }
    let seed = fastrand::u64(..);
    let mut rng = fastrand::Rng::with_seed(seed);
    let start = Instant::now();
    let mut made = 0;
    while made < MUTATIONS && start.elapsed() < TIME {
        let bytes = mutation::of(&inputs, &mut rng);
        try_on(target, &bytes, &format!("mutation {made} of seed {seed}"));
        made += 1;
    }
    println!("{target}: {} inputs, {made} mutations of seed {seed}", inputs.len());
}

/// Says which input it was; it belongs into the corpus.
fn try_on(target: &str, bytes: &[u8], name: &str) {
    let run = AssertUnwindSafe(|| foldlog_fuzz::run(target, bytes));
    assert!(catch_unwind(run).is_ok(), "{target}, {name}: b\"{}\"", bytes.escape_ascii());
}

macro_rules! replays {
    ($($target:ident)*) => {
        $(#[test]
        fn $target() {
            replay(stringify!($target));
        })*

        #[test]
        fn every_target_has_its_test() {
            let tested = [$(stringify!($target)),*];
            let names: Vec<&str> = foldlog_fuzz::TARGETS.iter().map(|target| target.name).collect();
            assert_eq!(names, tested);
        }
    };
}

replays! {
    cqrs_es endpoint event fixture key limits metadata moment reply retail_line schema snapshot
    stored_json stream tag talk token tree
}
