//! What is known of a stream: folded just now, or recalled.

use std::sync::Arc;

use foldlog_core::{Decider, Error};

use super::Via;
use super::folded::{Folded, Reading};

/// How many events of a stream are read to see whether what is known of it is all.
const CHECK_EVENTS: u32 = 1_000;

/// A state to decide on.
pub(crate) enum Known<A> {
    /// Compared with the stream in this call.
    Read(Folded<A>),
    /// As it was when it was put into the cache: what came since is not in it.
    Recalled(Arc<Folded<A>>, fn(&A) -> A),
    /// Recalled, and nothing had come since.
    Confirmed(Arc<Folded<A>>, fn(&A) -> A),
}

impl<A: Decider> Known<A> {
    pub(crate) fn nothing() -> Self {
        Self::Read(Folded::default())
    }

    pub(crate) fn folded(&self) -> &Folded<A> {
        match self {
            Self::Read(folded) => folded,
            Self::Recalled(folded, _) | Self::Confirmed(folded, _) => folded,
        }
    }

    /// Whether something may have come since.
    pub(crate) fn is_recalled(&self) -> bool {
        matches!(self, Self::Recalled(..))
    }

    /// The state for oneself: copied only if others have it too.
    pub(crate) fn into_folded(self) -> Folded<A> {
        match self {
            Self::Read(folded) => folded,
            Self::Recalled(folded, copy) | Self::Confirmed(folded, copy) => {
                Arc::try_unwrap(folded).unwrap_or_else(|folded| folded.copied(copy))
            }
        }
    }

    /// Takes in what came since. True if the state is another one now.
    ///
    /// Dropping the future leaves nothing known.
    pub(crate) async fn update(
        &mut self,
        reading: &Reading<'_, A>,
        via: &mut Via<'_>,
    ) -> Result<bool, Error> {
        let mut folded = match std::mem::replace(self, Self::nothing()) {
            Self::Read(folded) => folded,
            Self::Recalled(folded, copy) | Self::Confirmed(folded, copy) => {
                let (version, position) = (folded.version, folded.position);
                let page = via.page(reading.store, reading.stream, version, CHECK_EVENTS).await?;
                if (page.version, page.position) == (version, position) {
                    *self = Self::Confirmed(folded, copy);
                    return Ok(false);
                }
                let mut folded = Self::Recalled(folded, copy).into_folded();
                let follows = page.events.first().is_some_and(|first| {
                    first.version == version + 1 && first.position() > position
                });
                if follows {
                    for raw in &page.events {
                        folded.take_in(raw)?;
                    }
                } else {
                    // The stream is not the one that was folded.
                    folded = Folded::default();
                }
                if !follows || page.more {
                    folded.advance(reading, via).await?;
                }
                *self = Self::Read(folded);
                return Ok(true);
            }
        };
        let before = (folded.version, folded.position);
        folded.advance(reading, via).await?;
        let is_news = before != (folded.version, folded.position);
        *self = Self::Read(folded);
        Ok(is_news)
    }
}
