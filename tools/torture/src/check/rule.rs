//! What breaks one rule: the first few cases with what shows them, and a count of the rest.

use super::Finding;

const KEPT: usize = 3;

pub(super) struct Rule {
    guarantee: &'static str,
    found: usize,
    kept: Vec<Finding>,
}

impl Rule {
    pub(super) fn new(guarantee: &'static str) -> Self {
        Self { guarantee, found: 0, kept: Vec::new() }
    }

    /// The rule is broken. What is told of it is made only for the cases that are kept.
    pub(super) fn broken(&mut self, tell: impl FnOnce() -> (String, Vec<String>)) {
        self.found += 1;
        if self.kept.len() < KEPT {
            let (text, excerpt) = tell();
            self.kept.push(Finding { guarantee: self.guarantee, text, excerpt });
        }
    }

    pub(super) fn findings(mut self) -> Vec<Finding> {
        let more = self.found - self.kept.len();
        if let Some(last) = self.kept.last_mut().filter(|_| more > 0) {
            last.text = format!("{} (and {more} more of the kind)", last.text);
        }
        self.kept
    }
}
