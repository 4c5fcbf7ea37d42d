//! Random histories with one thing changed: each is found, under the right guarantee, in nearly every
//! history. Where it is not, the change is one that could have been.

mod decided;
mod marked;
mod projected;
mod seen;
mod written;

use fastrand::Rng;

use super::simulation;
use crate::check::check;
use crate::history::{Append, History, Outcome, Truth};

const SEEDS: u64 = 30;
const STEPS: usize = 600;

/// Changes something; false if there is nothing of the kind to change.
type Damage = fn(&mut History, &mut Truth, &mut Rng) -> bool;

/// Makes the same change to many histories.
fn is_found(guarantees: &[&str], damage: Damage) {
    let (mut tried, mut found) = (0, 0);
    for seed in 0..SEEDS {
        let (mut history, mut truth) = simulation::run(seed, STEPS);
        if !damage(&mut history, &mut truth, &mut Rng::with_seed(seed)) {
            continue;
        }
        tried += 1;
        let findings = check(&history, &truth);
        found += u64::from(findings.iter().any(|f| guarantees.contains(&f.guarantee)));
    }
    assert!(tried * 2 >= SEEDS, "only {tried} of {SEEDS} histories could be damaged");
    assert!(found * 20 >= tried * 19, "found in {found} of {tried} histories");
}

fn pick<T>(items: impl IntoIterator<Item = T>, rng: &mut Rng) -> Option<T> {
    let mut items: Vec<T> = items.into_iter().collect();
    (!items.is_empty()).then(|| items.swap_remove(rng.usize(..items.len())))
}

/// A place among items that have what is asked for.
fn place<T>(items: &[T], rng: &mut Rng, has: impl Fn(&T) -> bool) -> Option<usize> {
    pick((0..items.len()).filter(|place| has(&items[*place])), rng)
}

fn is_done(append: &Append) -> bool {
    matches!(append.outcome, Outcome::Done { repeated: false, .. })
}

fn is_acknowledged(append: &Append) -> bool {
    append.transaction.is_none() && is_done(append)
}
