//! What a finding shows.

use super::story::{MS, Story};
use crate::history::{Commit, Fault};

#[test]
fn a_finding_shows_its_calls_its_rows_and_the_faults_of_that_time() {
    let mut story = Story::new();
    let (first, second) = (story.any(0, 1), story.any(1, 2));
    story.transaction(&[first, second], Commit::Done);
    story.lose(1);
    for (kind, begun) in [("kill-backend", 15 * MS), ("pause", 500 * MS)] {
        let detail = "backend 7".to_owned();
        story.history.faults.push(Fault { kind, begun, ended: begun + MS, detail });
    }
    let findings = story.findings();
    let torn = findings.iter().find(|finding| finding.guarantee == "G1").unwrap();
    let excerpt = torn.excerpt.join("\n");
    assert_eq!(
        excerpt,
        "[    20.000 –     28.000] append 2, account-1 (any) 20: \
         done, versions [1], positions [20]\n\
         [    10.000 –     29.000]   transaction 900: committed\n\
         [    10.000 –     18.000] append 1, account-0 (any) 10: \
         done, versions [1], positions [10]\n\
         [    10.000 –     29.000]   transaction 900: committed\n\
         stored: account-0 version 1 at 10, mark 10, 1 cents, slice 0\n\
         [    15.000 –     16.000] fault kill-backend: backend 7"
    );
}

#[test]
fn of_many_findings_of_a_kind_three_are_shown_and_the_rest_counted() {
    let mut story = Story::new();
    for _ in 0..10 {
        story.any(0, 1);
    }
    story.lose(10);
    let findings = story.findings();
    assert_eq!(findings.len(), 3);
    assert!(findings[2].text.ends_with("marks [30] (and 7 more of the kind)"), "{findings:#?}");
}

#[test]
fn a_long_excerpt_is_cut() {
    let mut story = Story::new();
    let append = story.append(0, crate::history::Expect::Any, &[1; 20]);
    story.lose(20);
    let outcome = crate::history::Outcome::Failed;
    for _ in 0..20 {
        story.again(append, outcome.clone());
    }
    for begun in 0..20 {
        let detail = String::new();
        let (begun, ended) = (begun * MS, 400 * MS);
        story.history.faults.push(Fault { kind: "pause", begun, ended, detail });
    }
    let findings = story.findings();
    assert!(findings.iter().all(|finding| finding.excerpt.len() < 20), "{findings:#?}");
}
