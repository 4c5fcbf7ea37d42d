//! Appends, of their own and in users' transactions, and everything that may become of them.

use super::store::Open;
use super::{STREAMS, Simulation};
use crate::history::{Append, Commit, Expect, Outcome, Part, Transaction};

impl Simulation {
    /// A new transaction, and its first append.
    pub(super) fn begin(&mut self) {
        if self.open.len() > 8 {
            return self.close();
        }
        let transaction = (self.rng.u8(..) < 90).then(|| self.number());
        let append = self.draft();
        self.begin_with(transaction, append);
    }

    /// A request is made again, while the first attempt may still be under way.
    pub(super) fn repeat(&mut self) {
        if self.unsettled.is_empty() {
            return;
        }
        let which = self.rng.usize(..self.unsettled.len());
        let append = self.unsettled[which].clone();
        let transaction = (self.rng.u8(..) < 50).then(|| self.number());
        self.begin_with(transaction, append);
    }

    pub(super) fn begin_with(&mut self, transaction: Option<u64>, append: Append) {
        let (number, begun) = (self.number(), self.before());
        let bound = self.store.last;
        let (appends, pending) = (Vec::new(), Vec::new());
        let mut open = Open { number, transaction, begun, bound, appends, pending };
        self.append_in(&mut open, append);
        self.open.push(open);
    }

    pub(super) fn append_more(&mut self) {
        let users = |open: &Open| open.transaction.is_some();
        let Some(place) = self.open.iter().position(users) else { return };
        let mut open = self.open.remove(place);
        let append = self.draft();
        if self.rng.u8(..) < 100 {
            self.decide_on(append.request, open.transaction, &open.pending);
        }
        self.append_in(&mut open, append);
        self.open.push(open);
    }

    fn append_in(&mut self, open: &mut Open, append: Append) {
        let begun = self.before().max(open.appends.last().map_or(open.begun, |last| last.ended));
        let begun = begun.min(self.now);
        let seen = if self.rng.bool() { self.known_at(begun) } else { 0 };
        let drawn = open.pending.len();
        let outcome = self.store.write(open, &append);
        let is_done = matches!(outcome, Outcome::Done { .. });
        let undone = open.transaction.is_some() && is_done && self.rng.u8(..) < 40;
        if undone {
            open.pending.truncate(drawn);
        }
        let (transaction, ended) = (open.transaction, self.now);
        open.appends.push(Append { transaction, begun, ended, seen, outcome, undone, ..append });
    }

    /// One of the open transactions ends.
    pub(super) fn close(&mut self) {
        if self.open.is_empty() {
            return;
        }
        let which = self.rng.usize(..self.open.len());
        let open = self.open.swap_remove(which);
        match self.rng.u8(0..100) {
            0..70 => {
                self.commit(&open);
                self.record(open, Commit::Done);
            }
            // The answer is lost on its way back, or the commit on its way there.
            70..80 => {
                self.commit(&open);
                self.lose(open);
            }
            80..90 => {
                self.store.release(&open);
                self.lose(open);
            }
            _ => {
                self.store.release(&open);
                self.record(open, Commit::RolledBack);
            }
        }
    }

    fn commit(&mut self, open: &Open) {
        self.store.commit(open);
        self.committed.push((self.now, self.store.last_stored()));
    }

    fn record(&mut self, open: Open, commit: Commit) {
        let ended = self.after();
        // Some ask again though they know.
        let sure = open.appends.first().filter(|_| self.rng.u8(..) < 40);
        self.unsettled.extend(sure.cloned());
        if let Some(id) = open.transaction {
            let (begun, appends) = (open.begun, open.appends);
            self.history.transactions.push(Transaction { id, begun, ended, commit });
            self.history.appends.extend(appends);
            return;
        }
        for append in open.appends {
            let is_done = matches!(append.outcome, Outcome::Done { .. });
            let refused = is_done && commit == Commit::RolledBack;
            let outcome = if refused { Outcome::Failed } else { append.outcome.clone() };
            self.history.appends.push(Append { ended, outcome, ..append });
        }
    }

    /// Nobody knows what became of it; the caller may have given up long before it was decided.
    pub(super) fn lose(&mut self, open: Open) {
        let (begun, given_up) = (open.begun, self.rng.bool());
        if let Some(id) = open.transaction {
            let ended = if given_up { self.now - 1 } else { self.after() };
            let commit = Commit::Unknown;
            self.history.transactions.push(Transaction { id, begun, ended, commit });
            for append in &open.appends {
                if matches!(append.outcome, Outcome::Done { .. }) && !append.undone {
                    self.unsettled.push(append.clone());
                }
            }
            self.history.appends.extend(open.appends);
            return;
        }
        for append in open.appends {
            let ended = if given_up { append.begun + 1 } else { self.after() };
            let append = Append { ended, outcome: Outcome::Unknown, ..append };
            self.unsettled.push(append.clone());
            self.history.appends.push(append);
        }
    }

    pub(super) fn draft(&mut self) -> Append {
        let append = self.untagged();
        self.tag(&append);
        append
    }

    fn untagged(&mut self) -> Append {
        let request = self.number();
        let mut parts = Vec::new();
        if self.rng.u8(..) < 80 {
            let from = self.rng.u32(..STREAMS);
            let to = (from + self.rng.u32(1..STREAMS)) % STREAMS;
            let cents = self.rng.i64(1..1_000);
            for (place, (stream, cents)) in [(from, -cents), (to, cents)].into_iter().enumerate() {
                let mark = request * 256 + place as u64;
                self.store.cents.insert(mark, cents);
                parts.push(Part { stream, expected: Expect::Any, marks: vec![mark] });
            }
        } else {
            let stream = if self.rng.bool() { 1 } else { self.rng.u32(..STREAMS) };
            let marks = (0..self.rng.u64(1..5)).map(|n| request * 256 + n).collect();
            let expected = self.expectation(stream);
            let part = Part { stream, expected, marks };
            for mark in &part.marks {
                self.store.cents.insert(*mark, self.rng.i64(-1_000..1_000));
            }
            parts.push(part);
        }
        Append {
            request,
            transaction: None,
            begun: 0,
            ended: 0,
            seen: 0,
            parts,
            outcome: Outcome::Failed,
            undone: false,
        }
    }

    fn expectation(&mut self, stream: u32) -> Expect {
        match self.rng.u8(0..6) {
            0 => Expect::Exists,
            1 => Expect::NoStream,
            2 | 3 => Expect::Exact(self.store.version(stream)),
            4 => Expect::Exact(self.rng.u64(0..=self.store.version(stream) + 1)),
            _ => Expect::Any,
        }
    }
}
