//! How far a run has come: counted by the lanes, told on standard error.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use foldlog::Token;

/// How often the line is renewed on a terminal, and how often one is written elsewhere.
const REDRAW: Duration = Duration::from_millis(250);
const WRITE: Duration = Duration::from_secs(5);
/// Over how long speeds are measured.
const WINDOW: Duration = Duration::from_secs(10);

/// What the lanes have done in this run.
#[derive(Debug, Default)]
pub struct Played {
    lines: AtomicU64,
    events: AtomicU64,
    /// The highest position that this run knows of.
    position: AtomicU64,
}

impl Played {
    /// A line that an earlier run has played.
    pub fn skipped(&self) {
        self.lines.fetch_add(1, Ordering::Relaxed);
    }

    pub fn appended(&self, events: usize, token: &Token) {
        self.lines.fetch_add(1, Ordering::Relaxed);
        self.events.fetch_add(events as u64, Ordering::Relaxed);
        self.position.fetch_max(token.position().get(), Ordering::Relaxed);
    }

    pub fn lines(&self) -> u64 {
        self.lines.load(Ordering::Relaxed)
    }

    pub fn events(&self) -> u64 {
        self.events.load(Ordering::Relaxed)
    }

    pub fn position(&self) -> u64 {
        self.position.load(Ordering::Relaxed)
    }
}

/// How far a read model lies behind, in positions: at most as many events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lag {
    pub view: String,
    pub behind: u64,
}

/// Tells the progress: one line that is renewed on a terminal, a line every 5 s elsewhere.
pub struct Teller {
    total: u64,
    terminal: bool,
    told: Option<Instant>,
    seen: VecDeque<(Instant, u64, u64)>,
}

impl Teller {
    pub fn new(total: u64) -> Self {
        let terminal = std::io::stderr().is_terminal();
        Self { total, terminal, told: None, seen: VecDeque::new() }
    }

    /// How long to wait before the next look.
    pub fn pause(&self) -> Duration {
        if self.terminal { REDRAW } else { WRITE }
    }

    pub fn tell(&mut self, played: &Played, lags: &[Lag]) {
        let now = Instant::now();
        let text = self.text(now, played.lines(), played.events(), lags);
        self.told = Some(now);
        if self.terminal {
            // Back to the start of the line, and what is left of the last text cleared.
            eprint!("\r{text}\x1b[K");
            // Nothing is lost if standard error is closed.
            let _ = std::io::stderr().flush();
        } else {
            eprintln!("{text}");
        }
    }

    /// The last line stays.
    pub fn end(&self) {
        if self.terminal && self.told.is_some() {
            eprintln!();
        }
    }

    fn text(&mut self, now: Instant, lines: u64, events: u64, lags: &[Lag]) -> String {
        self.seen.push_back((now, lines, events));
        while self.seen.len() > 2
            && self.seen.get(1).is_some_and(|(then, ..)| now.duration_since(*then) >= WINDOW)
        {
            self.seen.pop_front();
        }
        let (then, lines_then, events_then) = self.seen.front().copied().unwrap_or((now, 0, 0));
        let seconds = now.duration_since(then).as_secs_f64();
        let per_second = |count: u64| if seconds > 0.0 { count as f64 / seconds } else { 0.0 };
        let mut text = format!(
            "{} of {} lines, {} events/s",
            grouped(lines),
            grouped(self.total),
            grouped(per_second(events - events_then) as u64)
        );
        let speed = per_second(lines - lines_then);
        if lines < self.total && speed > 0.0 {
            let left = (self.total - lines) as f64 / speed;
            // Infallible: a String takes everything.
            let _ = write!(text, ", {} left", duration(left.ceil() as u64));
        }
        for (place, Lag { view, behind }) in lags.iter().enumerate() {
            let begin = if place == 0 { "; events behind: " } else { ", " };
            let _ = write!(text, "{begin}{view} {}", grouped(*behind));
        }
        text
    }
}

/// `1,234,567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn duration(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speed_time_left_and_lag_are_told() {
        let mut teller = Teller::new(541_909);
        let start = Instant::now();
        let lag = Lag { view: "best_sellers".into(), behind: 1_200 };
        let first = teller.text(start, 0, 0, &[]);
        assert_eq!(first, "0 of 541,909 lines, 0 events/s");
        let after = start + Duration::from_secs(2);
        let second = teller.text(after, 4_000, 7_999, &[lag.clone(), lag]);
        assert_eq!(
            second,
            "4,000 of 541,909 lines, 3,999 events/s, 4 min 29 s left; events behind: best_sellers \
             1,200, best_sellers 1,200"
        );
        let end = teller.text(after + WINDOW, 541_909, 7_999, &[]);
        assert_eq!(end, "541,909 of 541,909 lines, 0 events/s");
    }

    #[test]
    fn numbers_and_durations_are_for_people() {
        let numbers = [0, 999, 1_000, 12_345_678].map(grouped);
        assert_eq!(numbers, ["0", "999", "1,000", "12,345,678"]);
        assert_eq!([59, 60, 3_725].map(duration), ["59 s", "1 min 0 s", "1 h 2 min"]);
    }
}
