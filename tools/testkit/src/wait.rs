//! Waiting for what must happen, and not for ever.

use std::future::Future;
use std::panic::Location;
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Asks again until the condition holds.
///
/// # Panics
///
/// After `within`, naming the line that waited.
#[track_caller]
pub fn wait_until<C>(within: Duration, mut condition: C) -> impl Future<Output = ()>
where
    C: AsyncFnMut() -> bool,
{
    let caller = Location::caller();
    async move {
        let until = Instant::now() + within;
        while !condition().await {
            assert!(Instant::now() < until, "nothing came within {within:?} at {caller}");
            sleep(Duration::from_millis(5)).await;
        }
    }
}
