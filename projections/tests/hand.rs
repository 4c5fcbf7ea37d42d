//! A batch handler that does what a test tells it, and gates to hold it at.

use std::sync::Arc;

use foldlog_core::{BoxFuture, Recorded};
use foldlog_projections::{Batch, BoxError, Projection, Registered};
use sqlx::PgConnection;
use tokio::sync::Semaphore;

use crate::domain::AccountEvent;

pub(crate) type Events = [Recorded<AccountEvent>];
pub(crate) type Doing<'a> = BoxFuture<'a, Result<(), BoxError>>;

/// What is done with a batch.
pub(crate) trait Act: for<'a> Fn(&'a mut PgConnection, &'a Events) -> Doing<'a> {}
impl<F: for<'a> Fn(&'a mut PgConnection, &'a Events) -> Doing<'a>> Act for F {}

#[derive(Clone)]
struct Hand<const CLASSES: u16>(Arc<dyn Act + Send + Sync>);

impl<const N: u16> Projection for Hand<N> {
    const NAME: &'static str = "hand";
    const CLASSES: u16 = N;
    type Event = AccountEvent;

    async fn apply(
        &mut self,
        conn: &mut PgConnection,
        batch: &Batch<AccountEvent>,
    ) -> Result<(), BoxError> {
        (self.0)(conn, batch).await
    }
}

/// The projection "hand" in so many classes.
pub(crate) fn hand<const CLASSES: u16>(act: impl Act + Send + Sync + 'static) -> Registered {
    Registered::projection(Hand::<CLASSES>(Arc::new(act))).unwrap()
}

/// The same in one class, writing each event into the ledger under a name, and nothing else.
pub(crate) fn scribe(who: &'static str) -> Registered {
    hand::<1>(move |conn, events| Box::pin(write(conn, who, events)))
}

/// One row per event, with nothing that would refuse a second one.
pub(crate) async fn write(
    conn: &mut PgConnection,
    who: &str,
    events: &Events,
) -> Result<(), BoxError> {
    for event in events {
        sqlx::query("insert into public.ledger values ($1, $2, $3)")
            .bind(who)
            .bind(event.name.as_str())
            .bind(i64::try_from(event.version)?)
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}

/// Holds whoever passes until it is opened, and tells how many came.
#[derive(Clone)]
pub(crate) struct Gate {
    came: Arc<Semaphore>,
    open: Arc<Semaphore>,
}

impl Gate {
    pub(crate) fn closed() -> Self {
        Self { came: Arc::new(Semaphore::new(0)), open: Arc::new(Semaphore::new(0)) }
    }

    pub(crate) async fn pass(&self) {
        self.came.add_permits(1);
        // It stays open once it is: the permit goes back.
        drop(self.open.acquire().await.unwrap());
    }

    /// Waits until somebody stands before it.
    pub(crate) async fn reached(&self) {
        self.came.acquire().await.unwrap().forget();
    }

    pub(crate) fn open(&self) {
        self.open.add_permits(1_000);
    }
}
