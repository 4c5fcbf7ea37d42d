//! Random histories of a correct store yield no finding.

use super::simulation;
use crate::check::check;
use crate::history::Outcome;

#[test]
fn what_a_correct_store_does_is_never_a_finding() {
    for seed in 0..250 {
        let (history, truth) = simulation::run(seed, 600);
        let findings = check(&history, &truth);
        assert!(findings.is_empty(), "seed {seed}: {findings:#?}");
    }
}

#[test]
fn a_random_history_has_something_of_everything() {
    let (history, truth) = simulation::run(1, 4_000);
    assert!(truth.events.len() > 500, "{} events", truth.events.len());
    assert!(history.appends.iter().any(|append| append.undone));
    assert!(history.appends.windows(2).any(|pair| pair[0].request != pair[1].request));
    assert!(history.pages.iter().any(|page| page.life > 1));
    assert!(history.sums.len() > 10 && history.loads.len() > 50 && history.shots.len() > 10);
    assert!(!history.stalls.is_empty() && !history.poisons.is_empty());
    let ended = |request, which: fn(&Outcome) -> bool| {
        history.appends.iter().any(|a| a.request == request && which(&a.outcome))
    };
    let decided = |which: fn(&Outcome) -> bool| {
        history.decisions.iter().filter(|decision| ended(decision.request, which)).count()
    };
    let done = decided(|outcome| matches!(outcome, Outcome::Done { .. }));
    let overtaken = decided(|outcome| matches!(outcome, Outcome::Overtaken { .. }));
    assert!(done > 10 && overtaken > 4, "{done} decisions done, {overtaken} overtaken");
    assert!(!history.faults.is_empty() && !truth.effects.is_empty());
    assert!(truth.rows.len() == 2 && truth.audit.len() > 50);
}
