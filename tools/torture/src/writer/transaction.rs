//! Users' transactions: rows of their own first or last, sleeps, savepoints, several appends, and
//! every way to end.

use std::time::Duration;

use foldlog_core::{Error, ErrorKind, Position};
use foldlog_eventstore::{AppendError, Request};
use foldlog_pg::database;
use sqlx::{Acquire as _, PgConnection};
use tokio::time::{sleep, timeout};

use super::{PATIENCE, Writer, booking};
use crate::book::Book;
use crate::bug::Bug;
use crate::draft::{Draft, outcome};
use crate::history::{Append, Commit, Expect, Outcome, Transaction};

/// What became of it, as far as it came.
pub(super) struct Progress {
    pub(super) id: u64,
    appends: Vec<Append>,
    /// At read committed: it may decide over streams.
    may_decide: bool,
    committing: bool,
    pub(super) commit: Commit,
    acknowledged: Option<u64>,
}

impl Progress {
    pub(super) fn new(book: &Book) -> Self {
        Self {
            id: book.number(),
            appends: Vec::new(),
            may_decide: false,
            committing: false,
            commit: Commit::RolledBack,
            acknowledged: None,
        }
    }
}

impl Writer {
    pub(super) async fn users_transaction(&mut self) {
        let begun = self.book.recorder.now();
        let mut progress = Progress::new(&self.book);
        let result = timeout(PATIENCE, self.transact(&mut progress)).await;
        if !matches!(result, Ok(Ok(()))) && progress.committing {
            progress.commit = Commit::Unknown;
        }
        if progress.acknowledged.is_some() && self.bug == Some(Bug::AckBeforeCommit) {
            progress.commit = Commit::Done;
        }
        self.close(progress, begun);
    }

    /// Records a transaction that has ended, and what was appended in it.
    pub(super) fn close(&mut self, progress: Progress, begun: u64) {
        let ended = progress.acknowledged.unwrap_or_else(|| self.book.recorder.now());
        let (id, commit) = (progress.id, progress.commit);
        self.book.transaction(Transaction { id, begun, ended, commit });
        for append in progress.appends {
            if let (Outcome::Done { positions, .. }, Commit::Done, false) =
                (&append.outcome, commit, append.undone)
            {
                for position in positions {
                    self.book.acknowledge(*position);
                    self.seen = self.seen.max(*position);
                }
            }
            self.book.append(append);
        }
        if commit == Commit::Done {
            self.store.appended();
        }
    }

    async fn transact(&mut self, progress: &mut Progress) -> Result<(), Error> {
        let failed = |e| database("run a user's transaction", e);
        let mut tx = self.store.db().pool().begin().await.map_err(failed)?;
        match self.rng.u8(..) {
            0..20 => {
                let level = include_str!("../../sql/isolation_repeatable.sql");
                sqlx::query(level).execute(&mut *tx).await.map_err(failed)?;
            }
            20..30 => {
                let level = include_str!("../../sql/isolation_serializable.sql");
                sqlx::query(level).execute(&mut *tx).await.map_err(failed)?;
            }
            30..128 => {
                let level = include_str!("../../sql/isolation_committed.sql");
                sqlx::query(level).execute(&mut *tx).await.map_err(failed)?;
                progress.may_decide = true;
            }
            _ => {}
        }
        // A transaction id long before the position, and more work between.
        if self.rng.bool() {
            self.business(&mut tx).await?;
            self.dawdle().await;
        }
        for _ in 0..self.rng.u8(1..3) {
            if self.rng.u8(..) < 80 {
                let mut savepoint = tx.begin().await.map_err(failed)?;
                self.append_in(&mut savepoint, progress).await?;
                if self.rng.bool() {
                    savepoint.rollback().await.map_err(failed)?;
                    if let Some(append) = progress.appends.last_mut() {
                        append.undone = true;
                    }
                } else {
                    savepoint.commit().await.map_err(failed)?;
                }
            } else {
                self.append_in(&mut tx, progress).await?;
            }
            if self.rng.bool() {
                self.dawdle().await;
            }
        }
        if self.rng.bool() {
            self.business(&mut tx).await?;
        }
        match self.rng.u8(..) {
            0..30 => tx.rollback().await.map_err(failed)?,
            // Dropped: the pool rolls it back.
            30..50 => {}
            _ => {
                progress.committing = true;
                if self.bug == Some(Bug::AckBeforeCommit) {
                    progress.acknowledged = Some(self.book.recorder.now());
                    self.dawdle().await;
                }
                tx.commit().await.map_err(failed)?;
                progress.commit = Commit::Done;
            }
        }
        Ok(())
    }

    async fn append_in(
        &mut self,
        conn: &mut PgConnection,
        progress: &mut Progress,
    ) -> Result<(), Error> {
        if !progress.may_decide || self.rng.bool() {
            let draft = self.draft_in(progress);
            return self.request_in(conn, progress, &draft, &draft.request()).await;
        }
        if self.rng.bool() {
            let booking = self.booking(&[]);
            return self.request_in(conn, progress, &booking.draft, &booking.request()).await;
        }
        let items = booking::items(&self.book, &mut self.rng);
        let start = (Position::START, Vec::new());
        let reading = self.reading(Some(&mut *conn), &items, start).await?;
        let booking = self.booking(&items);
        let request = reading.on(self, &booking, Some(progress.id));
        self.request_in(conn, progress, &booking.draft, &request).await
    }

    /// One append in the transaction.
    pub(super) async fn request_in(
        &mut self,
        conn: &mut PgConnection,
        progress: &mut Progress,
        draft: &Draft,
        request: &Request,
    ) -> Result<(), Error> {
        let (begun, seen) = (self.book.recorder.now(), self.seen);
        // Kept before the answer: should this be dropped meanwhile, the transaction says the rest.
        let record = draft.record(&self.book, begun, seen, Outcome::Failed);
        progress.appends.push(Append { transaction: Some(progress.id), ..record });
        let result = self.store.append_in(conn, request).await;
        let outcome = match outcome(&self.book, &result) {
            // It is part of a transaction that no one will commit.
            Outcome::Unknown => Outcome::Failed,
            known => known,
        };
        let ended = self.book.recorder.now();
        if let Some(append) = progress.appends.last_mut() {
            append.outcome = outcome;
            append.ended = ended;
        }
        match result {
            Ok(_) | Err(AppendError::Conflict { .. } | AppendError::ConditionFailed { .. }) => {
                Ok(())
            }
            // The transaction goes on, as after a conflict.
            Err(AppendError::Store(error))
                if matches!(error.kind(), ErrorKind::Archived | ErrorKind::Tombstoned) =>
            {
                Ok(())
            }
            Err(AppendError::Store(error)) => Err(error),
            Err(busy) => Err(Error::new(ErrorKind::Busy, busy.to_string())),
        }
    }

    fn draft_in(&mut self, progress: &Progress) -> Draft {
        if self.rng.u8(..) < 100 {
            return self.transfer_draft();
        }
        let account = self.account();
        // Sometimes what the same transaction has appended a moment ago decides.
        let expect = match progress.appends.last().map(|append| &append.outcome) {
            Some(Outcome::Done { versions, .. }) if self.rng.bool() => {
                Expect::Exact(versions.first().copied().unwrap_or(0))
            }
            _ => Expect::Any,
        };
        self.draft(vec![(account, expect)])
    }

    async fn business(&mut self, conn: &mut PgConnection) -> Result<(), Error> {
        sqlx::query(include_str!("../../sql/business_insert.sql"))
            .bind("a row of the user's own")
            .execute(conn)
            .await
            .map(drop)
            .map_err(|e| database("write a row of the user's own", e))
    }

    pub(super) async fn dawdle(&mut self) {
        let longest = if self.rng.u8(..) < 16 { 600 } else { 30 };
        sleep(Duration::from_millis(self.rng.u64(0..longest))).await;
    }
}
