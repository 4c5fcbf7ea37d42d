//! Sweeps: a future dropped at its first await, its second, its third, until it is done by itself.

mod audit;

use std::future::{Future, IntoFuture, poll_fn};
use std::task::Poll;

pub use audit::Audit;

/// How often in succession a future has to come to its end before its sweep ends: how many polls it
/// takes varies a little from run to run.
const ENDS: u32 = 2;
/// How often a sweep begins again in which nothing waited.
const PASSES_MAX: u32 = 50;
/// More polls than any swept future needs.
const POLLS_MAX: usize = 1_000;

/// Where a future is dropped.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    polls: usize,
    woken: bool,
}

impl Cut {
    /// Polls the future as often as this cut allows, each time after it asked for it, and drops it.
    /// Its output, if it was done by then.
    ///
    /// Half of the cuts fall at once after the last poll, when the answer is on its way; the others
    /// when the future was woken, and the answer lies there unread.
    pub async fn of<F: IntoFuture>(self, future: F) -> Option<F::Output> {
        let mut future = Box::pin(future.into_future());
        let mut polls = 0;
        poll_fn(|cx| {
            if polls == self.polls {
                return Poll::Ready(None);
            }
            polls += 1;
            match future.as_mut().poll(cx) {
                Poll::Ready(output) => Poll::Ready(Some(output)),
                Poll::Pending if polls == self.polls && !self.woken => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }
}

/// Runs a round for every cut: before the first poll, after the first, the second, and so on.
///
/// A round makes its future, hands it to [`Cut::of`], looks at what is left, and says whether the
/// future was done. When it is done wherever it is cut, the sweep is over.
///
/// # Panics
///
/// The future never waited, so that nothing was swept; or it does not end.
pub async fn sweep<R>(what: &str, mut round: R)
where
    R: AsyncFnMut(Cut) -> bool,
{
    let (mut ends, mut dropped, mut polls, mut passes) = (0, 0, 0, 1);
    while ends < ENDS {
        let mut done = true;
        // Before the first poll there is nothing that could wake.
        for woken in [false, true].into_iter().take(if polls == 0 { 1 } else { 2 }) {
            let ended = round(Cut { polls, woken }).await;
            dropped += usize::from(!ended && polls > 0);
            done &= ended;
        }
        ends = if done { ends + 1 } else { 0 };
        polls += 1;
        assert!(polls < POLLS_MAX, "{what} does not end within {POLLS_MAX} polls");
        if ends == ENDS && dropped == 0 && passes < PASSES_MAX {
            // Each answer was there before it was asked for: a server can be as quick as that.
            (ends, polls, passes) = (0, 1, passes + 1);
        }
    }
    assert!(dropped > 0, "{what} never waited: nothing was swept");
    println!("swept: {what}, dropped {dropped} times, at most {} polls", polls - 1);
}
