//! The schedule that breaks conditions on positions: a decision reads while an append that matches is
//! still open at a lower position than another one that it sees.

use std::time::Duration;

use foldlog_core::{Error, Position};
use foldlog_pg::database;
use futures_util::future::join;
use sqlx::{Postgres, Transaction};
use tokio::time::{sleep, timeout};

use super::booking::{Booking, Label, RARE};
use super::transaction::Progress;
use super::{PATIENCE, Writer};
use crate::bug::Bug;
use crate::domain::AccountId;
use crate::history::{Commit, Item};

impl Writer {
    /// Appends in a transaction that stays open, then outside of it; reads what matches either; ends the
    /// transaction, before the decision is appended or meanwhile.
    pub(super) async fn lap(&mut self) {
        let (tagless, late) = match self.bug {
            Some(Bug::TagLockForgotten) => (true, true),
            Some(Bug::CountOnlyCondition) => (false, false),
            _ => (self.rng.u8(..) < 32, self.rng.bool()),
        };
        let begun = self.book.recorder.now();
        let mut progress = Progress::new(&self.book);
        let number = progress.id;
        let tags = [format!("seat:lap{number}x"), format!("seat:lap{number}y")];
        let opened = timeout(PATIENCE, self.open(&mut progress, &tags[0])).await;
        let Ok(Ok(tx)) = opened else {
            self.close(progress, begun);
            return;
        };
        let other = self.lap_booking(number, "other", &tags[1]);
        self.once(&other.draft, &other.request()).await;

        let items = if tagless {
            vec![Item { kinds: vec![RARE], tags: Vec::new() }]
        } else {
            tags.iter().map(|tag| Item { kinds: Vec::new(), tags: vec![tag.clone()] }).collect()
        };
        let reading = self.patient_reading(&items, (Position::START, Vec::new())).await;
        let pause = Duration::from_millis(if late { self.rng.u64(..80) } else { 0 });
        let rolls_back = self.rng.u8(..) < 32;
        let ending = async {
            sleep(pause).await;
            let end = async { if rolls_back { tx.rollback().await } else { tx.commit().await } };
            matches!(timeout(PATIENCE, end).await, Ok(Ok(())))
        };
        let booking = self.lap_booking(number, "third", &tags[0]);
        let request = reading.map(|reading| reading.on(self, &booking, None));
        let ended = match &request {
            Some(request) if late => join(ending, self.once(&booking.draft, request)).await.0,
            _ => ending.await,
        };
        if ended && !rolls_back {
            progress.commit = Commit::Done;
        } else if !rolls_back {
            progress.commit = Commit::Unknown;
        }
        self.close(progress, begun);
        if let Some(request) = request.filter(|_| !late) {
            self.insist(&booking.draft, &request).await;
        }
    }

    async fn open(
        &mut self,
        progress: &mut Progress,
        tag: &str,
    ) -> Result<Transaction<'static, Postgres>, Error> {
        let failed = |e| database("run a user's transaction", e);
        let mut tx = self.store.db().pool().begin().await.map_err(failed)?;
        let booking = self.lap_booking(progress.id, "first", tag);
        let request = booking.request();
        self.request_in(&mut tx, progress, &booking.draft, &request).await?;
        Ok(tx)
    }

    /// One event for an account of a part of the lap: no two parts share a stream.
    fn lap_booking(&mut self, number: u64, part: &str, tag: &str) -> Booking {
        let account = AccountId(format!("lap{}{part}", number % 64));
        let label = Label { kind: RARE, tags: vec![tag.to_owned()] };
        Booking::new(&self.book, &mut self.rng, vec![(account, vec![label])])
    }
}
