//! Waiting until a view has come as far as a token, or can say why it has not.

use std::time::{Duration, Instant};

use foldlog_core::{Error, Page, Position, SliceClass, StreamName};

use crate::checkpoint::{self, Status};
use crate::projections::Inner;
use crate::registered::Registered;
use crate::views::ahead::Looks;
use crate::why::{ReadError, Why};

/// Between two looks at the database, when the worker is in another process.
const LOOK: Duration = Duration::from_millis(10);
/// What a look may take even if there is no time left.
const LOOK_MIN: Duration = Duration::from_secs(1);
/// What it may take to find out why.
const WHY_MAX: Duration = Duration::from_secs(2);

/// The classes that a row depends on: its stream's, or all.
pub(super) fn classes(registered: &Registered, stream: Option<&StreamName>) -> Vec<SliceClass> {
    let one = stream
        .and_then(|stream| SliceClass::of_key(registered.classes, stream.as_str().as_bytes()));
    one.map_or_else(|| SliceClass::all(registered.classes).collect(), |class| vec![class])
}

/// A wait until a projection has come as far as a position.
struct Wait<'a> {
    inner: &'a Inner,
    registered: &'a Registered,
    looks: Looks,
    target: Position,
}

/// Resolves when every class has come as far as `target`.
pub(super) async fn reached(
    inner: &Inner,
    registered: &Registered,
    classes: &[SliceClass],
    target: Position,
    timeout: Duration,
) -> Result<(), ReadError> {
    let wait = Wait { inner, registered, looks: inner.ahead.looks(), target };
    let started = Instant::now();
    for class in classes {
        loop {
            // Followed before the look, so that what happens in between is not missed. It says when
            // to look, never what is there: the view may have begun anew in another process.
            let mut progress = inner.progress.follow(registered.name, *class);
            let left = timeout.saturating_sub(started.elapsed());
            let look = wait.is_over(*class);
            // One look at least, and none that outlasts the wait by more than the least of time.
            match tokio::time::timeout(left.max(LOOK_MIN), look).await {
                Ok(Ok(true)) => break,
                Ok(Ok(false)) | Err(_) => {}
                Ok(Err(error)) => return Err(error.into()),
            }
            let left = timeout.saturating_sub(started.elapsed());
            if left.is_zero() {
                let why = tokio::time::timeout(WHY_MAX, wait.why(classes)).await;
                let why = why.unwrap_or(Ok(Why::Unanswered))?;
                return Err(ReadError::Stale { view: registered.name(), waited: timeout, why });
            }
            // Whichever ends the wait, the answer is to look again.
            drop(tokio::time::timeout(left.min(LOOK), progress.changed()).await);
        }
    }
    Ok(())
}

impl Wait<'_> {
    /// Whether the class holds everything up to the target: its checkpoint is there, or no event of
    /// its own lies in between and none can come any more.
    async fn is_over(&self, class: SliceClass) -> Result<bool, Error> {
        let Some(status) = self.status(class).await? else { return Ok(false) };
        if status.position >= self.target {
            return Ok(true);
        }
        let page = self.next(class, status.position).await?;
        Ok(match page.events.first() {
            Some(event) => event.position() > self.target,
            None => page.through >= self.target,
        })
    }

    /// The next event of a class after a position, as far as is settled.
    async fn next(&self, class: SliceClass, after: Position) -> Result<Page, Error> {
        self.looks.next(&*self.inner.source, &self.registered.filter(class), after).await
    }

    async fn status(&self, class: SliceClass) -> Result<Option<Status>, Error> {
        let name = self.registered.name;
        let mut conn = self.inner.conn().await?;
        let statuses = checkpoint::statuses(&mut conn, Some(self.registered.name())).await?;
        Ok(statuses.into_iter().find(|status| {
            status.class == class && i64::from(status.version) == i64::from(name.version)
        }))
    }

    /// The most telling reason why one of the classes is not there yet.
    async fn why(&self, classes: &[SliceClass]) -> Result<Why, Error> {
        let mut catching_up = None;
        let mut is_behind = false;
        for class in classes {
            let Some(status) = self.status(*class).await? else {
                return Ok(Why::Absent);
            };
            if let Some((_, error)) = status.stopped {
                return Ok(Why::Stopped { class: *class, error });
            }
            let Some(owner) = status.owner else { return Ok(Why::NoWorker { class: *class }) };
            let positions = self.target.get().saturating_sub(status.position.get());
            if catching_up.as_ref().is_none_or(|(_, most)| positions > *most) {
                catching_up = Some((owner, positions));
            }
            // Something is there to be worked on, so it is not for lack of settled events.
            let page = self.next(*class, status.position).await?;
            is_behind |= page.events.iter().any(|event| event.position() <= self.target);
        }
        if !is_behind && let Some(holder) = self.inner.source.blocker().await? {
            return Ok(Why::OpenAppend { holder });
        }
        Ok(catching_up
            .map_or(Why::Absent, |(owner, positions)| Why::CatchingUp { owner, positions }))
    }
}
