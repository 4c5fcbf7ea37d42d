//! Writers: appends of their own and in users' transactions, to hot and cold streams, repeated while
//! nobody knows whether they were made.

mod booking;
mod decision;
mod lap;
pub mod prepared;
mod transaction;

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use foldlog_eventstore::{AppendError, Appended, EventStore, Request};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::book::{Book, stream_name};
use crate::bug::Bug;
use crate::domain::AccountId;
use crate::draft::{Draft, DraftPart, outcome};
use crate::history::{Expect, Outcome};

/// A call that takes longer is given up: its future is dropped.
const PATIENCE: Duration = Duration::from_secs(6);
/// For so long an ambiguous append is repeated.
const INSISTENCE: Duration = Duration::from_secs(40);
const HOT: u32 = 3;
const COLD: u32 = 150;

pub struct Writer {
    pub store: EventStore,
    pub book: Arc<Book>,
    pub rng: Rng,
    pub bug: Option<Bug>,
    /// The longest rest between two appends.
    pub rest: Duration,
    /// The highest position this writer has been told of.
    seen: u64,
}

impl Writer {
    #[must_use]
    pub fn new(store: EventStore, book: Arc<Book>, rng: Rng, rest: Duration) -> Self {
        Self { store, book, rng, bug: None, rest, seen: 0 }
    }

    /// Writes until told to stop; what is ambiguous then is still insisted on.
    pub async fn run(mut self, stop: CancellationToken) {
        // A bug of boundaries shows only where they are at work.
        let first = if self.bug.is_some_and(|bug| bug.breaks() == "G5") { 60 } else { 0 };
        while !stop.is_cancelled() {
            match self.rng.u32(first..100) {
                0..32 => self.single().await,
                32..44 => self.transfer().await,
                44..62 => self.users_transaction().await,
                62..74 => self.decide().await,
                74..78 => self.newborn().await,
                78..82 => self.dropped().await,
                _ => self.boundary().await,
            }
            let rest = self.rng.f64();
            sleep(self.rest.mul_f64(rest * rest)).await;
        }
    }

    /// One stream, whatever its version.
    async fn single(&mut self) {
        let expect = if self.rng.u8(..) < 32 { Expect::Exists } else { Expect::Any };
        let account = self.account();
        let draft = self.draft(vec![(account, expect)]);
        self.settle(&draft).await;
    }

    /// Money moves between two or three streams: the cents of one append sum to nought.
    async fn transfer(&mut self) {
        let draft = self.transfer_draft();
        self.settle(&draft).await;
    }

    /// Load, decide, append at the version that was loaded.
    async fn decide(&mut self) {
        let account = self.account();
        let Some(version) = self.version(&account).await else { return };
        let draft = self.draft(vec![(account, Expect::Exact(version))]);
        self.settle(&draft).await;
    }

    /// A stream that two of them may try to begin.
    async fn newborn(&mut self) {
        let account = AccountId(format!("new{}", self.book.acknowledged() / 64));
        let expect = if self.rng.bool() { Expect::NoStream } else { Expect::Exact(0) };
        let draft = self.draft(vec![(account, expect)]);
        self.settle(&draft).await;
    }

    /// The caller goes away in the middle, and perhaps comes back.
    async fn dropped(&mut self) {
        let draft = if self.rng.bool() {
            self.transfer_draft()
        } else {
            let account = self.account();
            self.draft(vec![(account, Expect::Any)])
        };
        self.abandon(&draft, &draft.request()).await;
    }

    async fn abandon(&mut self, draft: &Draft, request: &Request) -> Outcome {
        let (begun, seen) = (self.book.recorder.now(), self.seen);
        let wait = Duration::from_micros(self.rng.u64(0..4_000));
        let result = timeout(wait, self.store.append(request)).await;
        let outcome = result.map_or(Outcome::Unknown, |result| outcome(&self.book, &result));
        let again = outcome == Outcome::Unknown && self.rng.bool();
        self.note(draft, begun, seen, outcome.clone());
        if again { self.insist(draft, request).await } else { outcome }
    }

    async fn settle(&mut self, draft: &Draft) {
        self.insist(draft, &draft.request()).await;
    }

    /// Appends, and repeats the same while the answer is unknown. Now and then it gives up at once:
    /// then nobody ever knows.
    async fn insist(&mut self, draft: &Draft, request: &Request) -> Outcome {
        let start = Instant::now();
        let mut request = request.clone();
        loop {
            let outcome = self.once(draft, &request).await;
            let unknown = outcome == Outcome::Unknown;
            if !unknown || self.rng.u8(..) < 16 || start.elapsed() > INSISTENCE {
                return outcome;
            }
            if self.bug == Some(Bug::RetryWithoutIdempotency) {
                request = Draft { number: draft.number, id: None, parts: again(draft) }.request();
            }
            sleep(Duration::from_millis(self.rng.u64(1..200))).await;
        }
    }

    /// One call.
    async fn once(&mut self, draft: &Draft, request: &Request) -> Outcome {
        let (begun, seen) = (self.book.recorder.now(), self.seen);
        let outcome = self.called(draft, request).await;
        // Receipts of its own are for its own repetitions alone.
        let keeps = self.bug != Some(Bug::ReceiptOutsideTransaction);
        if matches!(outcome, Outcome::Done { .. }) && keeps && self.rng.u8(..) < 8 {
            let kept = Draft { number: draft.number, id: draft.id, parts: again(draft) };
            self.book.keep(kept, request.clone());
        }
        self.note(draft, begun, seen, outcome.clone());
        outcome
    }

    async fn called(&mut self, draft: &Draft, request: &Request) -> Outcome {
        #[cfg(feature = "planted")]
        if self.bug == Some(Bug::ReceiptOutsideTransaction) {
            return crate::planted::writer::append(&self.store, &self.book, draft).await;
        }
        let _ = draft;
        let result = timeout(PATIENCE, self.attempt(request)).await;
        result.map_or(Outcome::Unknown, |result| outcome(&self.book, &result))
    }

    async fn attempt(&self, request: &Request) -> Result<Appended, AppendError> {
        if self.bug != Some(Bug::RetryWithoutIdempotency) {
            return self.store.append(request).await;
        }
        // Without the store's own repetitions, which are idempotent.
        let mut conn = self.store.db().acquire().await?;
        self.store.append_in(&mut conn, request).await
    }

    fn note(&mut self, draft: &Draft, begun: u64, seen: u64, outcome: Outcome) {
        if let Outcome::Done { positions, .. } = &outcome {
            self.seen = positions.iter().copied().max().unwrap_or(0).max(self.seen);
        }
        self.book.append(draft.record(&self.book, begun, seen, outcome));
    }

    /// The present version of an account.
    async fn version(&mut self, account: &AccountId) -> Option<u64> {
        let name = stream_name(account);
        let page = timeout(PATIENCE, self.store.read_stream(&name, u64::from(u32::MAX), 1)).await;
        let page = page.ok()?.ok()?;
        self.seen = self.seen.max(page.position.get());
        Some(page.version)
    }

    fn account(&mut self) -> AccountId {
        if self.rng.u8(..) < 90 {
            return AccountId(format!("hot{}", self.rng.u32(..HOT)));
        }
        // The square prefers low numbers: some are lukewarm.
        let skewed = self.rng.f64();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below COLD")]
        let number = (skewed * skewed * f64::from(COLD)) as u32;
        AccountId(format!("cold{number}"))
    }

    fn draft(&mut self, parts: Vec<(AccountId, Expect)>) -> Draft {
        let number = self.book.number();
        let mut index = 0;
        let parts = parts.into_iter().map(|(account, expect)| {
            let count =
                if self.rng.u8(..) < 64 { self.rng.u64(10..60) } else { self.rng.u64(1..6) };
            let events = (0..count).map(|_| {
                index += 1;
                (Book::mark(number, index), self.rng.i64(1..1_000))
            });
            DraftPart { account, expect, events: events.collect() }
        });
        let parts = parts.collect();
        let id = self.rng.bool().then(Uuid::new_v4);
        Draft { number, id, parts }
    }

    fn transfer_draft(&mut self) -> Draft {
        let mut accounts = vec![self.account()];
        while accounts.len() < 2 || (accounts.len() < 3 && self.rng.u8(..) < 64) {
            let account = self.account();
            if !accounts.contains(&account) {
                accounts.push(account);
            }
        }
        let number = self.book.number();
        let mut rest = 0;
        let last = accounts.len() - 1;
        let parts = accounts.into_iter().enumerate().map(|(place, account)| {
            let cents = if place == last { -rest } else { self.rng.i64(-500..500) };
            rest += cents;
            let mark = Book::mark(number, place as u64 + 1);
            DraftPart { account, expect: Expect::Any, events: vec![(mark, cents)] }
        });
        Draft { number, id: None, parts: parts.collect() }
    }
}

fn again(draft: &Draft) -> Vec<DraftPart> {
    let copy = |part: &DraftPart| DraftPart {
        account: part.account.clone(),
        expect: part.expect,
        events: part.events.clone(),
    };
    draft.parts.iter().map(copy).collect()
}
