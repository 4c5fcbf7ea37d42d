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

/// An error of the database that may pass is not the events' fault.
fn classify(error: BoxError) -> Failure {
    match error.downcast::<sqlx::Error>() {
        Ok(error) => match database("run a projection", *error) {
            error if error.is_retryable() => Failure::Transient(error),
            error => Failure::Poison(describe(&error)),
        },
        Err(error) => match error.downcast_ref::<Error>() {
            Some(own) if own.is_retryable() => Failure::Transient(
                Error::new(ErrorKind::Retry, "a projection is to be run again").with_source(error),
            ),
            _ => Failure::Poison(describe(&*error)),
        },
    }
}
