//! G9: rows and checkpoints.

use std::collections::BTreeMap;

use super::story::Story;
use crate::history::{CheckpointChange, ViewShot};

fn rows(told: &[(&str, i64, u64)]) -> BTreeMap<String, (i64, u64)> {
    told.iter().map(|(key, cents, events)| ((*key).to_owned(), (*cents, *events))).collect()
}

/// Marks 10, 20, 30, 40 at positions 10 to 40; the last is of no account.
fn story() -> Story {
    let mut story = Story::new();
    for (stream, cents) in [(0, 1), (1, 2), (0, 4), (3, 8)] {
        story.any(stream, cents);
    }
    let (balance, bucket) = finished();
    story.truth.rows.insert("balance".to_owned(), balance);
    story.truth.rows.insert("bucket".to_owned(), bucket);
    story
}

type Rows = BTreeMap<String, (i64, u64)>;

fn finished() -> (Rows, Rows) {
    let balance = rows(&[("account-0", 5, 2), ("account-1", 2, 1)]);
    // 10 % 7, 20 % 7 and 30 % 7.
    (balance, rows(&[("b3", 1, 1), ("b6", 2, 1), ("b2", 4, 1)]))
}

fn shoot(story: &mut Story, view: &str, checkpoints: &[(u16, u16, u64)], rows: Rows) {
    let (begun, ended) = story.tick();
    let (view, checkpoints) = (view.to_owned(), checkpoints.to_vec());
    story.history.shots.push(ViewShot { view, begun, ended, checkpoints, rows });
}

#[test]
fn rows_that_are_the_fold_at_the_end_are_fine() {
    let mut story = story();
    story.is_clean();
    // A row of nothing is no row.
    story.truth.rows.get_mut("bucket").unwrap().insert("b0".to_owned(), (0, 0));
    story.is_clean();
}

#[test]
fn a_row_that_is_not_the_fold_at_the_end_is_found() {
    for view in ["balance", "bucket"] {
        let wrong: [fn(&mut Rows); 4] = [
            |rows| rows.values_mut().next().unwrap().0 += 1,
            |rows| rows.values_mut().next().unwrap().1 += 1,
            |rows| drop(rows.pop_first()),
            |rows| rows.extend([("stranger".to_owned(), (1, 1))]),
        ];
        for wrong in wrong {
            let mut story = story();
            wrong(story.truth.rows.get_mut(view).unwrap());
            story
                .finds_only("G9", &format!("view {view} is not the fold of the events at the end"));
        }
    }
}

#[test]
fn a_view_that_was_at_work_and_left_no_rows_is_found() {
    let mut story = story();
    story.truth.rows.clear();
    story.is_clean();
    story.truth.audit.push(CheckpointChange {
        projection: "balance".to_owned(),
        modulus: 1,
        remainder: 0,
        role: "worker_1".to_owned(),
        old_epoch: 0,
        new_epoch: 1,
        old_position: 0,
        new_position: 0,
    });
    story.finds("G9", "view balance is not the fold of the events at the end");
}

#[test]
fn rows_at_the_checkpoints_of_their_classes_are_fine() {
    let mut story = story();
    shoot(&mut story, "balance", &[], Rows::new());
    // Slice 0 is account-0, slice 1 account-1.
    let classes = [(2, 0, 10), (2, 1, 20)];
    let balance = rows(&[("account-0", 1, 1), ("account-1", 2, 1)]);
    shoot(&mut story, "balance", &classes, balance);
    shoot(&mut story, "bucket", &classes, rows(&[("b3", 1, 1), ("b6", 2, 1)]));
    // A class that was split: 0 of 4 and 2 of 4 beside 1 of 2.
    let classes = [(4, 0, 40), (4, 2, 0), (2, 1, 10)];
    shoot(&mut story, "balance", &classes, rows(&[("account-0", 5, 2)]));
    shoot(&mut story, "bucket", &classes, rows(&[("b3", 1, 1), ("b2", 4, 1)]));
    story.is_clean();
}

#[test]
fn rows_beside_their_checkpoint_are_found() {
    let (balance, bucket) = finished();
    for (view, finished) in [("balance", balance), ("bucket", bucket)] {
        // Ahead of the checkpoint, behind it, and with the neighbour's.
        let ahead = [(1, 0, 20)];
        let neighbours = [(2, 0, 20), (2, 1, 40)];
        for (checkpoints, rows) in [
            (ahead.as_slice(), finished.clone()),
            (&[(1, 0, 40)], Rows::new()),
            (&neighbours, finished),
        ] {
            let mut story = story();
            shoot(&mut story, view, checkpoints, rows);
            story.finds_only("G9", &format!("view {view} is not the fold up to its checkpoints"));
        }
    }
}

#[test]
fn a_row_of_nobody_is_found() {
    let mut story = story();
    shoot(&mut story, "balance", &[(1, 0, 5)], rows(&[("account-9", 1, 1)]));
    story.finds_only("G9", "view balance is not the fold up to its checkpoints");
}

#[test]
fn checkpoints_that_are_no_division_are_found() {
    let wrong: [&[(u16, u16, u64)]; 5] = [
        &[(2, 0, 0)],
        &[(2, 0, 0), (2, 1, 0), (4, 1, 0)],
        &[(2, 2, 0)],
        &[(0, 0, 0)],
        &[(1, 0, 0), (1, 0, 0)],
    ];
    for checkpoints in wrong {
        let mut story = story();
        shoot(&mut story, "balance", checkpoints, Rows::new());
        story.finds_only("G9", "the checkpoints of view balance are no division");
    }
}

#[test]
fn a_view_that_nobody_knows_is_found() {
    let mut story = story();
    shoot(&mut story, "stranger", &[(1, 0, 0)], Rows::new());
    story.finds_only("G9", "nobody knows what view stranger has to hold");
}
