//! Marks: streams are archived and opened again, truncated and tombstoned, some of them while others
//! append to them, and are read meanwhile.

mod call;
mod read;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use foldlog_core::Error;
use foldlog_eventstore::{EventStore, Mark, Request};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::book::Book;
use crate::domain::AccountId;
use crate::draft::{Draft, DraftPart, outcome};
use crate::history::{Act, Expect, Outcome};

pub(crate) use read::TRUNCATED;

/// A call that takes longer is given up: its future is dropped.
const PATIENCE: Duration = Duration::from_secs(6);
/// For so long an ambiguous mark is repeated.
const INSISTENCE: Duration = Duration::from_secs(40);
/// How many streams of their own the markers share at a time.
const OWN: u32 = 3;
/// After so many acknowledged positions there are new ones: tombstones use them up.
const AGE: u64 = 200;

pub struct Marker {
    pub store: EventStore,
    pub book: Arc<Book>,
    pub rng: Rng,
    pub rest: Duration,
    /// What was acknowledged last in streams of the markers' own, to be repeated when they are closed.
    pub made: HashMap<AccountId, (Draft, Request)>,
}

impl Marker {
    /// Marks until told to stop. What it has closed for a while it opens again first.
    pub async fn run(mut self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            match self.rng.u32(0..100) {
                0..20 => self.close_for_a_while().await,
                20..30 => self.truncate_shared().await,
                30..58 => self.append().await,
                58..70 => self.mark_own().await,
                70..80 => self.repeat().await,
                _ => self.look().await,
            }
            sleep(self.rest.mul_f64(self.rng.f64())).await;
        }
    }

    /// A stream that others write to is archived, and opened again.
    async fn close_for_a_while(&mut self) {
        let account = match self.rng.u8(..) {
            0..60 => AccountId(format!("hot{}", self.rng.u32(0..3))),
            _ => AccountId(format!("cold{}", self.rng.u32(0..150))),
        };
        self.insist(&account, Act::Archive).await;
        sleep(Duration::from_millis(self.rng.u64(0..250))).await;
        // While another's archiving is unknown, it may come after this: then the stream stays closed
        // until somebody draws it again.
        self.insist(&account, Act::Unarchive).await;
    }

    /// A stream that others write to begins later.
    async fn truncate_shared(&mut self) {
        let account = AccountId(format!("cold{}", self.rng.u32(TRUNCATED)));
        self.truncate(&account).await;
    }

    async fn mark_own(&mut self) {
        let account = self.own();
        match self.rng.u8(..) {
            0..80 => self.insist(&account, Act::Archive).await,
            80..150 => self.insist(&account, Act::Unarchive).await,
            150..230 => self.truncate(&account).await,
            _ => self.insist(&account, Act::Tombstone).await,
        }
    }

    async fn truncate(&mut self, account: &AccountId) {
        let Some(version) = self.version(account).await.filter(|version| *version > 0) else {
            return;
        };
        // At times one that is not there, or behind an earlier cut.
        let before = match self.rng.u8(..) {
            0..20 => version + 1,
            20..60 => self.rng.u64(1..=version),
            _ => version.saturating_sub(self.rng.u64(0..4)).max(1),
        };
        let summary = self.rng.u8(..) < 80;
        self.insist(account, Act::Truncate { before, summary }).await;
    }

    /// To a stream of the markers' own, whatever its state.
    async fn append(&mut self) {
        let account = self.own();
        let number = self.book.number();
        let count = self.rng.u64(1..4);
        let events = (0..count).map(|n| (Book::mark(number, n + 1), self.rng.i64(1..1_000)));
        let parts = vec![DraftPart {
            account: account.clone(),
            expect: Expect::Any,
            events: events.collect(),
        }];
        let draft = Draft { number, id: self.rng.bool().then(Uuid::new_v4), parts };
        let request = draft.request();
        if matches!(self.attempt(&draft, &request).await, Outcome::Done { .. }) {
            self.made.insert(account, (draft, request));
        }
    }

    /// What was acknowledged answers the same again, whatever has become of its stream.
    async fn repeat(&mut self) {
        let Some(account) = self.rng.choice(self.made.keys()).cloned() else { return };
        let Some((draft, request)) = self.made.remove(&account) else { return };
        self.attempt(&draft, &request).await;
        if self.rng.bool() {
            self.made.insert(account, (draft, request));
        }
    }

    async fn attempt(&mut self, draft: &Draft, request: &Request) -> Outcome {
        let begun = self.book.recorder.now();
        let result = timeout(PATIENCE, self.store.append(request)).await;
        let outcome = result.map_or(Outcome::Unknown, |result| outcome(&self.book, &result));
        self.book.append(draft.record(&self.book, begun, 0, outcome.clone()));
        outcome
    }

    fn own(&mut self) -> AccountId {
        let age = self.book.acknowledged() / AGE;
        AccountId(format!("m{}x{}", age - age.min(self.rng.u64(0..2)), self.rng.u32(0..OWN)))
    }
}

/// The reason of a mark.
pub(crate) fn reason(number: u64) -> String {
    format!("mark {number}")
}

/// The number that a reason says; 0 if it is none of ours.
#[must_use]
pub fn number_of(reason: &str) -> u64 {
    reason.strip_prefix("mark ").and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// The number of the mark that an error is about.
#[must_use]
pub fn marked_by(error: &Error) -> u64 {
    Mark::of(error).map_or(0, |mark| number_of(&mark.reason))
}
