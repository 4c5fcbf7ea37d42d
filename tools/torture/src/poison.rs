//! Poison: events that the batch handler refuses until the cause is mended.

use std::sync::Arc;
use std::time::Duration;

use foldlog_core::Error;
use foldlog_eventstore::{EventStore, Request, any};
use foldlog_pg::database;
use sqlx::Row as _;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::book::{Book, stream_name};
use crate::domain::{AccountEvent, AccountId, signed, unsigned};
use crate::draft::outcome;
use crate::history::{Append, Expect, Outcome, Part, Poison};

const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(50);

pub struct Poisoner {
    /// Past the proxy.
    pub store: EventStore,
    pub book: Arc<Book>,
}

impl Poisoner {
    /// Appends one poison, waits until the projection stopped there and its other classes have gone
    /// on, and mends the cause. Whoever starts a worker next starts the class, too.
    ///
    /// It has time until everything has healed and a while beyond; what is not so by then is recorded
    /// as it is.
    ///
    /// # Errors
    ///
    /// Those of the database, when it does not come back.
    pub async fn run(self, healed: CancellationToken) -> Result<(), Error> {
        let number = self.book.number();
        let mark = Book::mark(number, 1);
        let account = AccountId(format!("poison{number}"));
        while self.list(mark).await.is_err() {
            sleep(POLL).await;
        }
        let request = Request::new([any::<AccountEvent>(&account, AccountEvent::moved(mark, 0))])?;
        let request = request.id(Uuid::new_v4());
        let mut position = None;
        while position.is_none() {
            position = self.append(number, &account, mark, &request).await;
        }
        let (stopped_at, others_moved) = self.watch(&account, position.unwrap_or(0), &healed).await;
        let stream = self.book.account(&account);
        let projection = "scribe".to_owned();
        let poison = Poison { projection, mark, stream, stopped_at, others_moved };
        self.book.recorder.write().poisons.push(poison);
        let start = Instant::now();
        loop {
            match self.mend(mark).await {
                Ok(()) => return Ok(()),
                Err(error) if start.elapsed() > PATIENCE => return Err(error),
                Err(_) => sleep(POLL).await,
            }
        }
    }

    async fn append(
        &self,
        request: u64,
        account: &AccountId,
        mark: u64,
        append: &Request,
    ) -> Option<u64> {
        let begun = self.book.recorder.now();
        let result = self.store.append(append).await;
        let outcome = outcome(&self.book, &result);
        let position = match &outcome {
            Outcome::Done { positions, .. } => positions.first().copied(),
            _ => None,
        };
        let stream = self.book.account(account);
        self.book.append(Append {
            request,
            transaction: None,
            begun,
            ended: self.book.recorder.now(),
            seen: 0,
            parts: vec![Part { stream, expected: Expect::Any, marks: vec![mark] }],
            outcome,
            undone: false,
        });
        if position.is_none() {
            sleep(POLL).await;
        }
        position
    }

    /// Where the projection stopped, and whether its other classes passed the place.
    async fn watch(
        &self,
        account: &AccountId,
        position: u64,
        healed: &CancellationToken,
    ) -> (Option<u64>, bool) {
        let end = async {
            healed.cancelled().await;
            sleep(PATIENCE).await;
        };
        let mut end = std::pin::pin!(end);
        let mut stopped_at = None;
        let mut others_moved = false;
        while !(stopped_at.is_some() && others_moved) {
            if let Ok((stopped, moved)) = self.stand(account, position).await {
                stopped_at = stopped.or(stopped_at);
                others_moved |= moved && stopped_at.is_some();
            }
            tokio::select! {
                () = &mut end => break,
                () = sleep(POLL) => {}
            }
        }
        (stopped_at, others_moved)
    }

    async fn stand(
        &self,
        account: &AccountId,
        position: u64,
    ) -> Result<(Option<u64>, bool), Error> {
        let failed = |e| database("read where a projection stands", e);
        let row = sqlx::query(include_str!("../sql/scribe_stand.sql"))
            .bind(stream_name(account).as_str())
            .bind(signed(position))
            .fetch_one(self.store.db().own_pool())
            .await
            .map_err(failed)?;
        let stopped: Option<i64> = row.try_get(0).map_err(failed)?;
        let moved: i64 = row.try_get(1).map_err(failed)?;
        Ok((stopped.map(unsigned), moved >= 3))
    }

    async fn list(&self, mark: u64) -> Result<(), Error> {
        self.change(include_str!("../sql/poison_insert.sql"), mark).await
    }

    async fn mend(&self, mark: u64) -> Result<(), Error> {
        self.change(include_str!("../sql/poison_delete.sql"), mark).await
    }

    async fn change(&self, statement: &'static str, mark: u64) -> Result<(), Error> {
        sqlx::query(statement)
            .bind(signed(mark))
            .execute(self.store.db().own_pool())
            .await
            .map(drop)
            .map_err(|e| database("list a poison", e))
    }
}
