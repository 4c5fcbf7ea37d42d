//! Figures: how many, how long, and the middle of several rounds.

use std::time::Duration;

/// Each power of two is divided into so many buckets: 1.6 % apart, finer than any two rounds.
const PARTS: u64 = 64;
const PART_BITS: u32 = PARTS.trailing_zeros();

/// How long calls took, counted in buckets: memory does not grow with the calls.
#[derive(Clone, Debug, Default)]
pub struct Latencies {
    buckets: Vec<u64>,
    count: u64,
    longest: Duration,
}

impl Latencies {
    pub fn record(&mut self, took: Duration) {
        let bucket = bucket_of(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX) / 1_000);
        if self.buckets.len() <= bucket {
            self.buckets.resize(bucket + 1, 0);
        }
        if let Some(count) = self.buckets.get_mut(bucket) {
            *count += 1;
        }
        self.count += 1;
        self.longest = self.longest.max(took);
    }

    pub fn add(&mut self, other: &Self) {
        if self.buckets.len() < other.buckets.len() {
            self.buckets.resize(other.buckets.len(), 0);
        }
        for (bucket, count) in self.buckets.iter_mut().zip(&other.buckets) {
            *bucket += count;
        }
        self.count += other.count;
        self.longest = self.longest.max(other.longest);
    }

    /// Milliseconds below which this share of the calls stayed; 0 if there were none.
    pub fn percentile_ms(&self, share: f64) -> f64 {
        let wanted = ((self.count as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        for (bucket, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return middle_of(bucket) as f64 / 1_000.0;
            }
        }
        0.0
    }

    pub fn longest_ms(&self) -> f64 {
        self.longest.as_secs_f64() * 1_000.0
    }
}

/// The first `PARTS` buckets are one microsecond wide, the next `PARTS` two, then four.
fn bucket_of(micros: u64) -> usize {
    let shift = (u64::BITS - micros.leading_zeros()).saturating_sub(PART_BITS + 1);
    let bucket = u64::from(shift) * PARTS + (micros >> shift);
    usize::try_from(bucket).unwrap_or(usize::MAX)
}

/// The microseconds in the middle of a bucket.
fn middle_of(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let shift = (bucket / PARTS).saturating_sub(1);
    let low = (bucket - shift * PARTS) << shift;
    low + (1 << shift) / 2
}

/// The middle of several values, the mean of the two middle ones of an even number; 0 of none.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.get(middle), values.get(middle.wrapping_sub(1))) {
        (Some(upper), Some(lower)) if values.len().is_multiple_of(2) => {
            f64::midpoint(*upper, *lower)
        }
        (Some(middle), _) => *middle,
        (None, _) => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn latencies(micros: impl IntoIterator<Item = u64>) -> Latencies {
        let mut latencies = Latencies::default();
        for micros in micros {
            latencies.record(Duration::from_micros(micros));
        }
        latencies
    }

    fn is_near(is: f64, wanted: f64) -> bool {
        (is - wanted).abs() <= wanted * 0.016 + 0.000_5
    }

    #[test]
    fn the_median_is_the_middle_of_the_sorted() {
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([4.0, 1.0]), 2.5);
        assert_eq!(median([7.0]), 7.0);
        assert_eq!(median([]), 0.0);
    }

    #[test]
    fn percentiles_are_within_a_bucket_of_the_truth() {
        let latencies = latencies(1..=100_000);
        for share in [0.01, 0.5, 0.9, 0.99, 1.0] {
            let is = latencies.percentile_ms(share);
            assert!(is_near(is, share * 100.0), "{share}: {is}");
        }
        assert_eq!(latencies.longest_ms(), 100.0);
        assert_eq!(Latencies::default().percentile_ms(0.5), 0.0);
    }

    #[test]
    fn every_duration_has_a_bucket_that_holds_it() {
        for micros in (0..40).flat_map(|power| [(1_u64 << power) - 1, 1 << power, (1 << power) + 1])
        {
            let middle = middle_of(bucket_of(micros));
            assert!(
                is_near(middle as f64, micros as f64) || middle == micros,
                "{micros}: {middle}"
            );
        }
    }

    #[test]
    fn counts_of_several_callers_add_up() {
        let mut all = latencies([100; 9]);
        all.add(&latencies([1_000_000]));
        assert!(is_near(all.percentile_ms(0.9), 0.1));
        assert!(is_near(all.percentile_ms(0.99), 1_000.0));
    }
}
