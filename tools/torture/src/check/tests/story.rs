//! A history made by hand: one call after the other, each acknowledged, and the truth beside it.
//! Tests then bend what they need.

use crate::check::{Finding, check};
use crate::history::{
    Append, Commit, Expect, History, Load, LoadKind, Moment, Outcome, Page, Part, Seen, Stored,
    Sum, Transaction, Truth,
};

pub(super) const MS: Moment = 1_000_000;

pub(super) struct Story {
    pub(super) history: History,
    pub(super) truth: Truth,
    now: Moment,
}

impl Story {
    pub(super) fn new() -> Self {
        let names = ["account-0", "account-1", "account-2", "ledger-0"];
        let streams = names.map(str::to_owned).to_vec();
        let history = History { streams, ..History::default() };
        Self { history, truth: Truth::default(), now: 0 }
    }

    /// Begin and end of the next call.
    pub(super) fn tick(&mut self) -> (Moment, Moment) {
        self.now += 10 * MS;
        (self.now, self.now + 8 * MS)
    }

    /// An append that is acknowledged, and where in the history it stands.
    pub(super) fn append(&mut self, stream: u32, expected: Expect, cents: &[i64]) -> usize {
        self.append_parts(&[(stream, expected, cents)])
    }

    pub(super) fn any(&mut self, stream: u32, cents: i64) -> usize {
        self.append(stream, Expect::Any, &[cents])
    }

    pub(super) fn transfer(&mut self, from: u32, to: u32, cents: i64) -> usize {
        self.append_parts(&[(from, Expect::Any, &[-cents]), (to, Expect::Any, &[cents])])
    }

    fn append_parts(&mut self, parts: &[(u32, Expect, &[i64])]) -> usize {
        let place = self.history.appends.len();
        let request = place as u64 + 1;
        let (begun, ended) = self.tick();
        let (mut told, mut versions, mut positions) = (Vec::new(), Vec::new(), Vec::new());
        let mut mark = request * 10;
        for &(stream, expected, cents) in parts {
            let mut marks = Vec::new();
            for &cents in cents {
                self.store(stream, mark, cents);
                marks.push(mark);
                mark += 1;
            }
            told.push(Part { stream, expected, marks });
            versions.push(self.version(stream));
            positions.push(self.last());
        }
        self.history.appends.push(Append {
            request,
            transaction: None,
            begun,
            ended,
            seen: 0,
            parts: told,
            outcome: Outcome::Done { repeated: false, versions, positions },
            undone: false,
        });
        place
    }

    /// An event at the end of the truth. Positions have holes.
    pub(super) fn store(&mut self, stream: u32, mark: u64, cents: i64) {
        let (position, version) = (self.last() + 10, self.version(stream) + 1);
        let slice = u16::try_from(stream).unwrap();
        let stored = Stored { position, stream, version, slice, mark, cents, intact: true };
        self.truth.events.push(stored);
    }

    pub(super) fn last(&self) -> u64 {
        self.truth.events.last().map_or(0, |stored| stored.position)
    }

    pub(super) fn version(&self, stream: u32) -> u64 {
        self.truth.events.iter().filter(|stored| stored.stream == stream).count() as u64
    }

    /// The same call once more, with another answer.
    pub(super) fn again(&mut self, place: usize, outcome: Outcome) -> usize {
        let (begun, ended) = self.tick();
        let append = Append { begun, ended, outcome, ..self.history.appends[place].clone() };
        self.history.appends.push(append);
        self.history.appends.len() - 1
    }

    /// A call that was refused or lost, and left nothing.
    pub(super) fn refused(&mut self, stream: u32, expected: Expect, outcome: Outcome) -> usize {
        let request = self.history.appends.len() as u64 + 1;
        let (begun, ended) = self.tick();
        self.history.appends.push(Append {
            request,
            transaction: None,
            begun,
            ended,
            seen: 0,
            parts: vec![Part { stream, expected, marks: vec![request * 10] }],
            outcome,
            undone: false,
        });
        self.history.appends.len() - 1
    }

    /// Some of the appends were one transaction of a user's.
    pub(super) fn transaction(&mut self, appends: &[usize], commit: Commit) {
        let id = 900 + self.history.transactions.len() as u64;
        let begun = self.history.appends[appends[0]].begun;
        let ended = self.history.appends[appends[appends.len() - 1]].ended + MS;
        for place in appends {
            self.history.appends[*place].transaction = Some(id);
        }
        self.history.transactions.push(Transaction { id, begun, ended, commit });
    }

    /// The last events of the truth were never stored.
    pub(super) fn lose(&mut self, events: usize) {
        self.truth.events.truncate(self.truth.events.len() - events);
    }

    /// A page up to the last event.
    pub(super) fn page(&mut self, reader: u32, life: u32, after: u64) -> &mut Page {
        let (begun, ended) = self.tick();
        let through = self.last();
        let events = self.truth.events.iter().filter(|stored| stored.position > after);
        let events = events.map(seen).collect();
        self.history.pages.push(Page { reader, life, begun, ended, after, through, events });
        self.history.pages.last_mut().unwrap()
    }

    /// A load of what is there.
    pub(super) fn load(&mut self, kind: LoadKind, stream: u32) -> &mut Load {
        let (begun, ended) = self.tick();
        let events = self.truth.events.iter().filter(|stored| stored.stream == stream);
        let cents = events.map(|stored| stored.cents).sum();
        let version = self.version(stream);
        self.history.loads.push(Load { kind, begun, ended, stream, version, cents });
        self.history.loads.last_mut().unwrap()
    }

    /// A sum of what is there.
    pub(super) fn sum(&mut self) -> &mut Sum {
        let (begun, ended) = self.tick();
        let cents = self.truth.events.iter().map(|stored| stored.cents).sum();
        let events = self.truth.events.len() as u64;
        self.history.sums.push(Sum { begun, ended, cents, events });
        self.history.sums.last_mut().unwrap()
    }

    pub(super) fn findings(&self) -> Vec<Finding> {
        check(&self.history, &self.truth)
    }

    pub(super) fn is_clean(&self) {
        let findings = self.findings();
        assert!(findings.is_empty(), "{findings:#?}");
    }

    /// There is a finding of this guarantee that says this.
    pub(super) fn finds(&self, guarantee: &str, says: &str) {
        let findings = self.findings();
        let found = findings.iter().any(|f| f.guarantee == guarantee && f.text.contains(says));
        assert!(found, "no finding of {guarantee} says {says:?}: {findings:#?}");
    }

    /// And there is no other.
    pub(super) fn finds_only(&self, guarantee: &str, says: &str) {
        self.finds(guarantee, says);
        let findings = self.findings();
        assert_eq!(findings.len(), 1, "{findings:#?}");
    }
}

pub(super) fn seen(stored: &Stored) -> Seen {
    let Stored { position, stream, version, mark, intact, .. } = *stored;
    Seen { position, stream, version, mark, intact }
}
