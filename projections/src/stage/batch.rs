//! The stage of a batch handler.

use std::panic::AssertUnwindSafe;

use async_trait::async_trait;
use foldlog_core::{Error, ErrorKind, RawEvent, Recorded};
use foldlog_pg::database;
use futures_util::FutureExt as _;
use sqlx::PgConnection;

use super::{Failure, Stage, contained, describe, panicked};
use crate::handler::{Batch, BoxError, Projection};

pub(crate) struct HandlerStage<P> {
    // As it was registered: a failed batch may have left the working clone half-changed.
    prototype: P,
    working: P,
}

impl<P: Projection + Clone> HandlerStage<P> {
    pub(crate) fn new(prototype: P) -> Self {
        Self { working: prototype.clone(), prototype }
    }
}

#[async_trait]
impl<P: Projection + Clone> Stage for HandlerStage<P> {
    async fn apply(&mut self, conn: &mut PgConnection, events: &[RawEvent]) -> Result<(), Failure> {
        let events: Vec<Recorded<P::Event>> =
            contained(|| Ok(events.iter().map(RawEvent::typed).collect::<Result<_, _>>()?))?;
        let batch = Batch(events);
        let applied = AssertUnwindSafe(self.working.apply(conn, &batch)).catch_unwind().await;
        let failure = match applied {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => classify(error),
            Err(panic) => panicked(&*panic),
        };
        self.working = self.prototype.clone();
        Err(failure)
    }
}

/// An error of the database that may pass is not the events' fault, however it is wrapped.
fn classify(error: BoxError) -> Failure {
    let error = match error.downcast::<sqlx::Error>() {
        Ok(error) => return database("run a projection", *error).into(),
        Err(error) => error,
    };
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(&*error);
    while let Some(cause) = next {
        if may_pass(cause) {
            let again = Error::new(ErrorKind::Retry, "a projection is to be run again");
            return Failure::Transient(again.with_source(error));
        }
        next = cause.source();
    }
    Failure::Poison(describe(&*error))
}

fn may_pass(cause: &(dyn std::error::Error + 'static)) -> bool {
    if let Some(own) = cause.downcast_ref::<Error>() {
        return own.is_retryable();
    }
    match cause.downcast_ref::<sqlx::Error>() {
        Some(sqlx::Error::Database(cause)) => {
            let code = cause.code().unwrap_or_default();
            // Connection, transaction rolled back, out of resources, lock not to be had, shutdown.
            code == "55P03" || ["08", "40", "53", "57P"].iter().any(|class| code.starts_with(class))
        }
        Some(
            sqlx::Error::Io(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::Protocol(_),
        ) => true,
        _ => false,
    }
}
