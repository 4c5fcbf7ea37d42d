//! How often, and how patiently, something is tried again. Pure: it does not sleep.

use std::time::Duration;

/// How often a command is decided again after a conflict, and how long to wait between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    attempts_max: u32,
    first: Duration,
    longest: Duration,
}

impl Default for Retry {
    /// Ten attempts; the first repeat at once, then pauses that double from 1 ms up to 100 ms.
    fn default() -> Self {
        Self {
            attempts_max: 10,
            first: Duration::from_millis(1),
            longest: Duration::from_millis(100),
        }
    }
}

impl Retry {
    /// One attempt: a conflict goes to the caller.
    #[must_use]
    pub fn never() -> Self {
        Self { attempts_max: 1, ..Self::default() }
    }

    /// At most so many attempts, the first one included. Nought counts as one.
    #[must_use]
    pub fn attempts(attempts_max: u32) -> Self {
        Self { attempts_max: attempts_max.max(1), ..Self::default() }
    }

    /// With other pauses: the first, doubled each time, and the longest.
    #[must_use]
    pub fn pauses(mut self, first: Duration, longest: Duration) -> Self {
        (self.first, self.longest) = (first, longest);
        self
    }

    /// The pause before the next attempt, after so many; `None` when there is to be none.
    ///
    /// `chance` in 0..1 spreads the pauses of rivals: half of each pause is fixed, half is chance.
    #[must_use]
    pub fn pause_after(&self, attempts: u32, chance: f64) -> Option<Duration> {
        if attempts >= self.attempts_max {
            return None;
        }
        if attempts <= 1 {
            return Some(Duration::ZERO);
        }
        let doubled = self.first.saturating_mul(1_u32 << (attempts - 2).min(20));
        let pause = doubled.min(self.longest);
        Some(pause / 2 + pause.mul_f64(chance.clamp(0.0, 1.0) / 2.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_end() {
        let retry = Retry::attempts(5);
        let pauses: Vec<_> = (1..=5).map(|n| retry.pause_after(n, 1.0)).collect();
        let ms = |n| Some(Duration::from_millis(n));
        assert_eq!(pauses, [ms(0), ms(1), ms(2), ms(4), None]);
        assert_eq!(Retry::never().pause_after(1, 0.5), None);
        assert_eq!(Retry::attempts(u32::MAX).pause_after(1000, 1.0), ms(100));
    }
}
