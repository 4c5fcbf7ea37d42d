//! Decisions over streams: what matches a query is read, and something is appended on condition that
//! nothing else does.

use foldlog_core::{Error, ErrorKind, Position, Tenant};
use foldlog_eventstore::{Condition, Request};
use sqlx::PgConnection;
use tokio::time::timeout;

use super::booking::{self, Booking, Label};
use super::{PATIENCE, Writer};
use crate::bug::Bug;
use crate::domain::told;
use crate::draft::is_at_another_level;
use crate::history::{Decision, Given, Item, Outcome};

/// How often one that was overtaken goes on reading.
const READS_MAX: u32 = 4;

/// What was read.
pub(super) struct Reading {
    items: Vec<Item>,
    given: Vec<Given>,
    condition: Condition,
    times: (u64, u64),
}

impl Reading {
    /// What remains of it for a read that goes on from where everything was settled.
    fn settled(mut self) -> (Position, Vec<Given>) {
        let settled = self.condition.settled();
        self.given.retain(|given| given.position <= settled.get());
        (settled, self.given)
    }

    /// The request on condition of this, which is recorded.
    pub(super) fn on(
        &self,
        writer: &Writer,
        booking: &Booking,
        transaction: Option<u64>,
    ) -> Request {
        let decision = Decision {
            request: booking.draft.number,
            transaction,
            begun: self.times.0,
            ended: self.times.1,
            items: self.items.clone(),
            settled: self.condition.settled().get(),
            given: self.given.clone(),
        };
        writer.book.recorder.write().decisions.push(decision);
        match booking.request().condition(self.condition.clone()) {
            Ok(request) => request,
            Err(error) => panic!("a condition is not one of the request's tenant: {error}"),
        }
    }
}

impl Writer {
    /// Tagged events with a condition or none, and the schedules that break conditions on positions.
    pub(super) async fn boundary(&mut self) {
        let provoked = matches!(self.bug, Some(Bug::TagLockForgotten | Bug::CountOnlyCondition));
        match self.rng.u8(if provoked { 128.. } else { 0.. }) {
            0..80 => {
                let booking = self.booking(&[]);
                self.insist(&booking.draft, &booking.request()).await;
            }
            80..200 => self.decision().await,
            _ => self.lap().await,
        }
    }

    /// Read, decide, append on condition; once overtaken, it goes on reading.
    async fn decision(&mut self) {
        let items = booking::items(&self.book, &mut self.rng);
        let mut known = (Position::START, Vec::new());
        for _ in 0..READS_MAX {
            let Some(reading) = self.patient_reading(&items, known).await else { return };
            if self.rng.bool() {
                self.dawdle().await;
            }
            let booking = self.booking(&items);
            let request = reading.on(self, &booking, None);
            let outcome = match self.rng.u8(..) {
                0..16 => self.abandon(&booking.draft, &request).await,
                _ => self.insist(&booking.draft, &request).await,
            };
            if !matches!(outcome, Outcome::Overtaken { .. }) {
                return;
            }
            known = reading.settled();
        }
    }

    /// Events for one stream or two. Those of a decision mostly are what the next one like it asks for.
    pub(super) fn booking(&mut self, items: &[Item]) -> Booking {
        let mut parts = Vec::new();
        let mut accounts = vec![self.account()];
        if self.rng.u8(..) < 48 {
            let account = self.account();
            accounts.extend((!accounts.contains(&account)).then_some(account));
        }
        for account in accounts {
            let labels = (0..self.rng.u8(1..4)).map(|_| self.label(items));
            parts.push((account, labels.collect()));
        }
        Booking::new(&self.book, &mut self.rng, parts)
    }

    fn label(&mut self, items: &[Item]) -> Label {
        let mut label = booking::label(&self.book, &mut self.rng);
        let Some(item) = self.rng.choice(items).filter(|_| self.rng.u8(..) < 180) else {
            return label;
        };
        if !item.tags.is_empty() {
            label.tags.clone_from(&item.tags);
        }
        label.kind = self.rng.choice(item.kinds.iter().copied()).unwrap_or(label.kind);
        label
    }

    /// A read outside of transactions; none if a fault broke it off.
    pub(super) async fn patient_reading(
        &mut self,
        items: &[Item],
        known: (Position, Vec<Given>),
    ) -> Option<Reading> {
        let reading = timeout(PATIENCE, self.reading(None, items, known)).await.ok()?;
        match reading {
            Ok(reading) => {
                let seen = reading.given.last().map_or(0, |given| given.position);
                self.seen = self.seen.max(seen);
                Some(reading)
            }
            Err(error) => {
                // A position from before a crash may be one that was taken back: foreign.
                let is_foreign = error.kind() == ErrorKind::Foreign;
                if !(error.is_retryable() || is_foreign || is_at_another_level(&error)) {
                    self.book.surprise(format!("what a decision rests on was not read: {error:?}"));
                }
                None
            }
        }
    }

    pub(super) async fn reading(
        &self,
        conn: Option<&mut PgConnection>,
        items: &[Item],
        (after, mut given): (Position, Vec<Given>),
    ) -> Result<Reading, Error> {
        let (query, tenant) = (booking::query(items)?, Tenant::default());
        let begun = self.book.recorder.now();
        let take = |raw: &foldlog_core::RawEvent, matched: &[usize]| {
            let mark = told(raw).map_or(0, |told| told.mark);
            let matched = matched.iter().fold(0, |bits, item| bits | 1 << item);
            given.push(Given { position: raw.position().get(), mark, matched });
            Ok(())
        };
        let condition = match conn {
            Some(conn) => self.store.read_matching_in(conn, &tenant, &query, after, take).await?,
            None => self.store.read_matching(&tenant, &query, after, take).await?,
        };
        let times = (begun, self.book.recorder.now());
        Ok(Reading { items: items.to_vec(), given, condition, times })
    }
}
