//! The tasks of an app, and how they ended.

use foldlog_core::{Error, ErrorKind};
use tokio::task::{JoinError, JoinSet};

/// Tasks under way; dropped, they are broken off.
pub(super) struct Tasks {
    running: JoinSet<Result<(), Error>>,
    // Kept until somebody was told: whoever took it in may have been dropped since.
    first_error: Option<Error>,
}

impl Tasks {
    pub(super) fn new(running: JoinSet<Result<(), Error>>) -> Self {
        Self { running, first_error: None }
    }

    /// Waits for all of them, and answers the first error of one. Dropping the future loses no
    /// error: the next call answers it.
    pub(super) async fn end(&mut self) -> Result<(), Error> {
        self.join().await;
        self.first_error.take().map_or(Ok(()), Err)
    }

    /// Breaks off those under way. An error of one that had ended stays for [`end`](Self::end).
    pub(super) async fn break_off(&mut self) {
        self.running.abort_all();
        self.join().await;
    }

    async fn join(&mut self) {
        while let Some(end) = self.running.join_next().await {
            if let Err(error) = outcome(end) {
                self.first_error.get_or_insert(error);
            }
        }
    }
}

fn outcome(end: Result<Result<(), Error>, JoinError>) -> Result<(), Error> {
    match end {
        Ok(end) => end,
        // Broken off by us, who say so themselves.
        Err(join) if join.is_cancelled() => Ok(()),
        Err(join) => {
            Err(Error::new(ErrorKind::Internal, "a task of the app panicked").with_source(join))
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::future::pending;

    use tokio::sync::oneshot;

    use super::*;

    /// Tasks of which one has failed, and one has not ended yet.
    async fn one_failed(other: impl Future<Output = ()> + Send + 'static) -> Tasks {
        let mut running = JoinSet::new();
        let failed = running.spawn(async { Err(Error::new(ErrorKind::Internal, "it failed")) });
        running.spawn(async {
            other.await;
            Ok(())
        });
        while !failed.is_finished() {
            tokio::task::yield_now().await;
        }
        Tasks::new(running)
    }

    #[tokio::test]
    async fn the_error_of_a_task_survives_a_wait_that_was_dropped() {
        let (go, going) = oneshot::channel::<()>();
        let mut tasks = one_failed(async { going.await.unwrap() }).await;
        // Polled once: it has taken in the one that failed, and waits for the other.
        tokio::select! {
            biased;
            ended = tasks.end() => panic!("it did not wait: {ended:?}"),
            () = async {} => {}
        }
        go.send(()).unwrap();
        assert!(tasks.end().await.unwrap_err().to_string().contains("it failed"));
        tasks.end().await.unwrap();
    }

    #[tokio::test]
    async fn the_error_of_a_task_survives_that_others_are_broken_off() {
        let mut tasks = one_failed(pending()).await;
        tasks.break_off().await;
        assert!(tasks.end().await.unwrap_err().to_string().contains("it failed"));
        tasks.end().await.unwrap();
    }
}
