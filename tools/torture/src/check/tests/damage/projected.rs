//! Damage to views, effects and checkpoints.

use fastrand::Rng;

use super::{SEEDS, STEPS, is_found, pick, place, simulation};
use crate::check::check;
use crate::history::Truth;

#[test]
fn a_row_that_is_off_at_the_end_is_found_anywhere() {
    is_found(&["G9"], |_, truth, rng| {
        let Some(rows) = pick(truth.rows.values_mut(), rng) else { return false };
        let Some(row) = pick(rows.values_mut(), rng) else { return false };
        row.0 += 1;
        true
    });
}

#[test]
fn a_shot_whose_checkpoint_is_not_its_rows_is_found_anywhere() {
    is_found(&["G9"], |history, _, rng| {
        let Some(place) = place(&history.shots, rng, |shot| shot.rows.len() > 5) else {
            return false;
        };
        let shot = &mut history.shots[place];
        let furthest = shot.checkpoints.iter_mut().max_by_key(|(_, _, position)| *position);
        furthest.unwrap().2 = 0;
        true
    });
}

#[test]
fn an_effect_that_is_doubled_lost_or_late_is_found_anywhere() {
    let ways: [fn(&mut Truth, usize); 3] = [
        |truth, place| truth.effects.push(truth.effects[place]),
        |truth, place| drop(truth.effects.drain(place..=place)),
        |truth, place| truth.effects[place..].rotate_left(1),
    ];
    ways.into_iter().for_each(damage_effects);
}

fn damage_effects(way: fn(&mut Truth, usize)) {
    for seed in 0..SEEDS {
        let (history, mut truth) = simulation::run(seed, STEPS);
        // One that has a successor in its stream.
        let first = |place: &usize| {
            let effect = truth.effects[*place];
            truth.effects[place + 1..].iter().any(|later| later.stream == effect.stream)
        };
        let places = (0..truth.effects.len()).filter(first);
        let Some(place) = pick(places, &mut Rng::with_seed(seed)) else { continue };
        way(&mut truth, place);
        let findings = check(&history, &truth);
        assert!(findings.iter().any(|finding| finding.guarantee == "G9"), "seed {seed}");
    }
}

#[test]
fn a_checkpoint_that_is_set_back_is_found_anywhere() {
    is_found(&["G10"], |_, truth, rng| {
        let Some(place) = place(&truth.audit, rng, |change| change.old_position > 0) else {
            return false;
        };
        truth.audit[place].new_position = 0;
        true
    });
}

#[test]
fn a_checkpoint_that_a_stranger_moves_is_found_anywhere() {
    is_found(&["G10"], |_, truth, rng| {
        let moves = place(&truth.audit, rng, |change| change.new_position > change.old_position);
        let Some(place) = moves else { return false };
        truth.audit[place].role = "worker_3".to_owned();
        true
    });
}

#[test]
fn an_epoch_that_is_set_back_is_found_anywhere() {
    is_found(&["G10"], |_, truth, rng| {
        let Some(place) = place(&truth.audit, rng, |c| c.new_epoch > c.old_epoch) else {
            return false;
        };
        truth.audit[place].new_epoch = 1;
        true
    });
}
